import type { DocumentName, Environment } from "@heddle/core";
import type { Replica, ReplicaDocument } from "@heddle/replica";

import { DocumentRoom } from "./document-room.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import type { RelayCounters } from "./relay-counters.ts";

/** The rooms that somebody is in. A room lives from its first member to its last. */
export class RoomDirectory {
  readonly #replica: Replica;
  readonly #environment: Environment;
  readonly #counters: RelayCounters;
  readonly #rooms = new Map<ReplicaDocument, DocumentRoom>();

  constructor(replica: Replica, environment: Environment, counters: RelayCounters) {
    this.#replica = replica;
    this.#environment = environment;
    this.#counters = counters;
  }

  get rooms(): Iterable<DocumentRoom> {
    return this.#rooms.values();
  }

  /**
   * Brings `connection` into the room of `name`; it starts to listen once the document is loaded.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` when the document cannot be opened.
   */
  async enter(connection: GatewayConnection, name: DocumentName): Promise<void> {
    const document = await this.#replica.acquire(name);
    const room = this.#rooms.get(document) ?? this.#open(document);
    if (!connection.isOpen) {
      this.#leave(room, connection);
      return;
    }
    room.join(connection);
    connection.listen(
      (bytes) => room.receive(connection, bytes),
      () => this.#leave(room, connection),
    );
  }

  #open(document: ReplicaDocument): DocumentRoom {
    const options = { document, environment: this.#environment, counters: this.#counters };
    const room = new DocumentRoom(options);
    this.#rooms.set(document, room);
    return room;
  }

  #leave(room: DocumentRoom, connection: GatewayConnection): void {
    room.leave(connection);
    if (room.members.size === 0 && this.#rooms.delete(room.document)) room.close();
    this.#replica.release(room.document);
  }
}
