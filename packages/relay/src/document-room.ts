import { equalBytes, isHeddleError, type HeddleError } from "@heddle/core";
import { decodeStateVector, encodeStateVector, type ParsedUpdate } from "@heddle/document";
import type { DocumentCommit, DocumentListener, PeerHost, ReplicaDocument } from "@heddle/replica";

import type { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { HeldMessages } from "./held-messages.ts";
import { prepareFrame, prepareFrameOf } from "./prepared-frame.ts";
import type { DocumentPresence, PresenceAudience } from "./document-presence.ts";
import type { PresenceOwner } from "./presence.ts";
import { RoomMember, type CatchUp, type MemberSources } from "./room-member.ts";
import {
  decodeClientMessage,
  encodeAwareness,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  encodeUpdateHead,
} from "./y-websocket-wire.ts";

/** The last catch-up that was made: after a restart everybody asks the same question. */
interface LastCatchUp extends CatchUp {
  /** As long as somebody still reads it, and no longer. */
  readonly frame: WeakRef<Uint8Array>;
}

export interface RoomParts {
  readonly context: GatewayContext;
  readonly presence: DocumentPresence;
  readonly peers: PeerHost | undefined;
}

/**
 * The stock clients of one document: answers their sync steps from the log, hands their updates to
 * the replica, and shows everybody what reached the disk.
 */
export class DocumentRoom implements DocumentListener, MemberSources, PresenceAudience {
  readonly document: ReplicaDocument;
  readonly #context: GatewayContext;
  readonly #held = new HeldMessages();
  readonly #members = new Map<GatewayConnection, RoomMember>();
  readonly #presence: DocumentPresence;
  readonly #unsubscribe: () => void;
  readonly #peers: PeerHost | undefined;
  #stopWanting: (() => void) | undefined;
  #lastCatchUp: LastCatchUp | undefined;
  #awarenessFrame: Uint8Array | undefined;

  constructor(document: ReplicaDocument, { context, presence, peers }: RoomParts) {
    this.document = document;
    this.#context = context;
    this.#presence = presence;
    this.#peers = peers;
    presence.audience = this;
    this.#unsubscribe = document.subscribe(this);
    this.#openWithPeers();
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  join(connection: GatewayConnection): RoomMember {
    const member = new RoomMember(connection, this.#context, this);
    this.#members.set(connection, member);
    connection.send(encodeSyncStep1(this.document.encodeStateVector()));
    if (this.#presence.clients.length > 0) member.askAwareness();
    return member;
  }

  leave(connection: GatewayConnection): void {
    this.#members.get(connection)?.leave();
    this.#members.delete(connection);
    this.#held.forget(connection);
    this.document.withdraw(connection);
    this.#presence.leave(connection);
  }

  close(): void {
    this.#unsubscribe();
    // After a reset the document has another room, while the members of this one are on their way out.
    if (this.#presence.audience === this) this.#presence.audience = undefined;
    this.#stopWanting?.();
  }

  /** @throws HeddleError with the code that the sender is refused with. */
  receive(member: RoomMember, bytes: Uint8Array): void {
    if (this.#held.keep(member.connection, bytes)) return;
    const message = decodeClientMessage(bytes);
    switch (message.type) {
      case "step-1":
        member.ask(message.stateVector);
        return;
      case "step-2":
        member.quota.beginFirstSync();
        this.#receiveUpdate(member, message.update);
        return;
      case "update":
        this.#receiveUpdate(member, message.update);
        return;
      case "awareness":
        this.#receiveAwareness(member.connection, message.update);
        return;
      case "query-awareness":
        member.askAwareness();
        return;
      case "unknown":
        this.#context.counters.unknownMessages++;
    }
  }

  onCommit({ update, parts, sources }: DocumentCommit): void {
    // A lone writer knows what it wrote; where several wrote, one frame for all is cheaper than
    // one frame for each, and an update that is known already changes nothing.
    const onlySource = sources.length === 1 ? sources[0] : undefined;
    const frame = prepareFrameOf(encodeUpdateHead(update.length), update);
    this.#context.counters.broadcasts++;
    this.#lastCatchUp = undefined;
    this.#openWithPeers();
    let before: Uint8Array | undefined;
    const vectorBefore = (): Uint8Array => (before ??= this.#vectorBefore(parts));
    for (const member of this.#members.values()) {
      if (member.connection !== onlySource) member.show(frame, vectorBefore);
    }
  }

  onReset(error: HeddleError): void {
    for (const connection of this.#members.keys()) connection.refuse(error);
  }

  catchUpFrame({ vector, isAnswer }: CatchUp): Uint8Array {
    const last = this.#lastCatchUp;
    const isSame = last?.isAnswer === isAnswer && equalBytes(last.vector, vector);
    const shared = isSame ? last.frame.deref() : undefined;
    if (shared) return shared;
    const update = this.document.encodeSince(vector);
    const frame = prepareFrame(isAnswer ? encodeSyncStep2(update) : encodeUpdate(update));
    this.#lastCatchUp = { vector, isAnswer, frame: new WeakRef(frame) };
    return frame;
  }

  awarenessFrame(): Uint8Array | undefined {
    const { clients } = this.#presence;
    if (clients.length === 0) return undefined;
    return (this.#awarenessFrame ??= this.#frameOf(clients));
  }

  /** What is only decided with time: members who are owed something. */
  pulse(): void {
    for (const member of this.#members.values()) member.flush();
  }

  /** What everybody had been shown before the last commit, which was `parts`. */
  #vectorBefore(parts: readonly ParsedUpdate[]): Uint8Array {
    const clocks = decodeStateVector(this.document.encodeShownVector());
    for (const { client, clock } of parts.flatMap(({ runs }) => runs)) {
      if (clock < (clocks.get(client) ?? 0)) clocks.set(client, clock);
    }
    return encodeStateVector(clocks);
  }

  #receiveUpdate(member: RoomMember, update: Uint8Array): void {
    const { connection, quota } = member;
    const { length } = update;
    const outcome = this.document.submit(update, connection, (refusal) => {
      quota.endFirstSync();
      if (refusal) connection.refuse(refusal);
      else this.#held.release(connection, (message) => this.receive(member, message));
    });
    if (outcome === "judging") this.#held.hold(connection);
    else quota.endFirstSync();
    if (outcome !== "admitted" && outcome !== "parked") return;
    connection.addUnsaved(length);
    this.document.afterCommitOf(connection, () => connection.addUnsaved(-length));
  }

  /** Awareness waits for its writer's updates: a caret must not point at text still to come. */
  #receiveAwareness(connection: GatewayConnection, update: Uint8Array): void {
    const items = this.#presence.decode(update);
    this.document.afterCommitOf(connection, () => {
      const member = this.#members.get(connection);
      if (member === undefined) return;
      try {
        const { changed, returning, wasIgnored } = this.#presence.receive(items, connection);
        const hasHeard = changed.length > 0 || !wasIgnored;
        if (returning.length > 0 || !hasHeard) member.showAwareness(this.#frameOf(returning));
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        connection.refuse(error);
      }
    });
  }

  /** The sender hears it too: a lone client takes silence for a dead connection. */
  showPresence(update: Uint8Array): void {
    this.#awarenessFrame = undefined;
    const frame = prepareFrame(encodeAwareness(update));
    for (const member of this.#members.values()) member.showAwareness(frame);
  }

  showPresenceTo(owner: PresenceOwner, update: Uint8Array): void {
    const member = this.#members.get(owner as GatewayConnection);
    member?.showAwareness(prepareFrame(encodeAwareness(update)));
  }

  /** What is in the log is exchanged while somebody is here, so that presence finds its way too. */
  #openWithPeers(): void {
    if (this.document.isStored) this.#stopWanting ??= this.#peers?.want(this.document.entry);
  }

  #frameOf(clients: readonly number[]): Uint8Array {
    return prepareFrame(encodeAwareness(this.#presence.encode(clients)));
  }
}
