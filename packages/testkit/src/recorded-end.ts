import type { Connection, ConnectionEnd } from "@heddle/sync";

/** One end of a connection under test: listens, and keeps all that is told. */
export class RecordedEnd {
  readonly connection: Connection;
  readonly messages: Uint8Array[] = [];
  /** In the order in which they came. */
  readonly events: ("message" | "drain" | "closed")[] = [];
  end: ConnectionEnd | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.listen({
      onMessage: (bytes) => {
        this.events.push("message");
        this.messages.push(bytes);
      },
      onDrain: () => this.events.push("drain"),
      onClosed: (end) => {
        this.events.push("closed");
        this.end = end;
      },
    });
  }

  get drains(): number {
    return this.events.filter((event) => event === "drain").length;
  }
}
