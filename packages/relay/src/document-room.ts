import { type Environment, type HeddleError } from "@heddle/core";
import type { DocumentCommit, DocumentListener, ReplicaDocument } from "@heddle/replica";

import { AwarenessStates, decodeAwareness } from "./awareness-states.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import { prepareFrame } from "./prepared-frame.ts";
import type { RelayCounters } from "./relay-counters.ts";
import {
  decodeClientMessage,
  encodeAwareness,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from "./y-websocket-wire.ts";

export interface DocumentRoomOptions {
  readonly document: ReplicaDocument;
  readonly environment: Environment;
  readonly counters: RelayCounters;
}

/**
 * The stock clients of one document: answers their sync steps from the log, hands their updates to
 * the replica, and shows everybody what reached the disk.
 */
export class DocumentRoom implements DocumentListener {
  readonly document: ReplicaDocument;
  readonly #environment: Environment;
  readonly #counters: RelayCounters;
  readonly #members = new Set<GatewayConnection>();
  /** Members that have been given the content: only they can make sense of what follows it. */
  readonly #caughtUp = new Set<GatewayConnection>();
  readonly #awareness = new AwarenessStates();
  readonly #unsubscribe: () => void;

  constructor({ document, environment, counters }: DocumentRoomOptions) {
    this.document = document;
    this.#environment = environment;
    this.#counters = counters;
    this.#unsubscribe = document.subscribe(this);
  }

  get members(): ReadonlySet<GatewayConnection> {
    return this.#members;
  }

  join(connection: GatewayConnection): void {
    this.#members.add(connection);
    connection.send(encodeSyncStep1(this.document.encodeStateVector()));
    const present = this.#awareness.clients;
    if (present.length > 0) connection.send(encodeAwareness(this.#awareness.encode(present)));
  }

  leave(connection: GatewayConnection): void {
    this.#members.delete(connection);
    this.#caughtUp.delete(connection);
    this.#broadcastAwareness(this.#awareness.leave(connection, this.#nowMs));
  }

  close(): void {
    this.#unsubscribe();
  }

  /** @throws HeddleError with the code that the sender is refused with. */
  receive(connection: GatewayConnection, bytes: Uint8Array): void {
    const message = decodeClientMessage(bytes);
    switch (message.type) {
      case "step-1":
        connection.send(encodeSyncStep2(this.document.encodeSince(message.stateVector)));
        this.#caughtUp.add(connection);
        return;
      case "update":
        this.#receiveUpdate(connection, message.update);
        return;
      case "awareness":
        this.#receiveAwareness(connection, message.update);
        return;
      case "query-awareness":
        connection.send(encodeAwareness(this.#awareness.encode(this.#awareness.clients)));
        return;
      case "unknown":
        this.#counters.unknownMessages++;
    }
  }

  onCommit({ update, sources }: DocumentCommit): void {
    // A lone writer knows what it wrote; where several wrote, one frame for all is cheaper than
    // one frame for each, and an update that is known already changes nothing.
    const onlySource = sources.size === 1 ? [...sources][0] : undefined;
    this.#broadcast(encodeUpdate(update), onlySource);
  }

  onReset(error: HeddleError): void {
    for (const connection of this.#members) connection.refuse(error);
  }

  /** Removes clients that fell silent. */
  expireAwareness(): void {
    this.#broadcastAwareness(this.#awareness.expire(this.#nowMs));
  }

  #receiveUpdate(connection: GatewayConnection, update: Uint8Array): void {
    const { length } = update;
    const outcome = this.document.submit(update, connection);
    if (outcome !== "admitted") return;
    connection.addUnsaved(length);
    this.document.afterCommitOf(connection, () => connection.addUnsaved(-length));
  }

  /** Awareness waits for its writer's updates: a caret must not point at text still to come. */
  #receiveAwareness(connection: GatewayConnection, update: Uint8Array): void {
    const items = decodeAwareness(update);
    this.document.afterCommitOf(connection, () => {
      if (!this.#members.has(connection)) return;
      const { changed, returning } = this.#awareness.apply(items, connection, this.#nowMs);
      // Its sender hears it too: a lone client takes silence for a dead connection.
      this.#broadcastAwareness(changed);
      if (returning.length > 0) connection.send(encodeAwareness(this.#awareness.encode(returning)));
    });
  }

  #broadcastAwareness(clients: readonly number[]): void {
    if (clients.length === 0) return;
    const frame = prepareFrame(encodeAwareness(this.#awareness.encode(clients)));
    for (const member of this.#members) member.sendFrame(frame);
  }

  #broadcast(message: Uint8Array, except: object | undefined): void {
    const frame = prepareFrame(message);
    this.#counters.broadcasts++;
    for (const member of this.#caughtUp) {
      if (member === except) continue;
      member.sendFrame(frame);
      this.#counters.deliveries++;
    }
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs();
  }
}
