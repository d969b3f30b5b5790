import { HeddleError, HeddleErrorCode, type DocumentName } from "@heddle/core";
import type { PeerHost, Replica, ReplicaDocument } from "@heddle/replica";

import { DocumentRoom } from "./document-room.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { PresenceDirectory } from "./presence-directory.ts";
import { countLimit } from "./relay-counters.ts";

/** The rooms that somebody is in. A room lives from its first member to its last. */
export class RoomDirectory {
  readonly #replica: Replica;
  readonly #context: GatewayContext;
  readonly #rooms = new Map<ReplicaDocument, DocumentRoom>();
  readonly #peers: PeerHost | undefined;
  readonly #presences: PresenceDirectory;

  constructor(replica: Replica, context: GatewayContext, peers?: PeerHost) {
    this.#replica = replica;
    this.#context = context;
    this.#peers = peers;
    this.#presences = new PresenceDirectory(context, peers);
  }

  /** What happens only with time. */
  pulse(): void {
    this.#presences.pulse();
    for (const room of this.#rooms.values()) room.pulse();
  }

  /** Nobody is told of presence any more. */
  stop(): void {
    this.#presences.stop();
  }

  /**
   * Brings `connection` into the room of `name`; it starts to listen once the document is loaded.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` when the document cannot be opened, and
   * `HEDDLE_RELAY_OVERLOADED` when too many are open.
   */
  async enter(connection: GatewayConnection, name: DocumentName): Promise<void> {
    const isFull = this.#replica.openDocuments >= this.#context.limits.openDocumentsMax;
    if (isFull && !this.#replica.isOpen(name)) {
      countLimit(this.#context.counters, "openDocumentsMax");
      throw new HeddleError(HeddleErrorCode.relayOverloaded, "too many documents are open");
    }
    const document = await this.#replica.acquire(name);
    connection.enter(document.entry.id);
    // Names are somebody's words: they appear only where somebody asked to see everything.
    this.#context.environment.logger.debug("document.named", { document: document.entry.id, name });
    const room = this.#rooms.get(document) ?? this.#open(document);
    if (!connection.isOpen) {
      this.#leave(room, connection);
      return;
    }
    const member = room.join(connection);
    connection.listen({
      onMessage: (bytes) => room.receive(member, bytes),
      onDrain: () => member.onDrain(),
      onClose: () => this.#leave(room, connection),
      quota: member.quota,
    });
  }

  #open(document: ReplicaDocument): DocumentRoom {
    const presence = this.#presences.of(document.entry.id);
    const parts = { context: this.#context, presence, peers: this.#peers };
    const room = new DocumentRoom(document, parts);
    this.#rooms.set(document, room);
    this.#context.environment.logger.info("room.opened", { document: document.entry.id });
    return room;
  }

  #leave(room: DocumentRoom, connection: GatewayConnection): void {
    room.leave(connection);
    if (room.isEmpty && this.#rooms.delete(room.document)) {
      room.close();
      this.#context.environment.logger.info("room.closed", { document: room.document.entry.id });
    }
    this.#replica.release(room.document);
  }
}
