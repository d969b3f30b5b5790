import {
  assert,
  decodeLane,
  equalBytes,
  toHex,
  type DocumentId,
  type Envelope,
  type LaneId,
  type StoreId,
  type VersionVector,
} from "@heddle/core";
import { decodeFrame, wireLimits, type Frame, type SyncEvent } from "@heddle/sync";

import { testHash } from "../test-environment.ts";
import type { SimEngine } from "./sim-engine.ts";
import type { SimReplica } from "./sim-replica.ts";
import type { SimStore } from "./sim-store.ts";

type LaneReplicated = Extract<SyncEvent, { readonly name: "lane.replicated" }>;

/** A promise that was broken, at the moment when it was. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** What the names of one end of a connection mean, as the checker overheard. */
interface Overheard {
  readonly documents: Map<number, DocumentId>;
  readonly lanes: Map<number, LaneId>;
}

/**
 * Watches a simulation while it runs. It reads every frame on its way out, by itself, and compares it
 * with the disk of the sender.
 */
export class SimChecker {
  readonly #authored = new Map<string, string>();
  readonly #savedBy = new Map<string, Map<string, Envelope>>();
  readonly #shownBy = new Map<string, Set<string>>();
  readonly #overheard = new Map<string, Overheard>();
  readonly #forks = new Map<string, Set<string>>();
  readonly #holders = new Map<StoreId, SimReplica>();
  /** Those whose disk is not the one that they acknowledged from. */
  readonly #replaced = new Set<string>();
  readonly heldBytesMax: number;
  /** Places that a cloned writer may have written twice. */
  isCloned = false;
  /** What some replica showed was damaged on purpose: whoever compares may find it. */
  isFlipped = false;
  heldBytesSeen = 0;

  constructor(heldBytesMax: number) {
    this.heldBytesMax = heldBytesMax;
  }

  /** I2: a seq is given once. */
  authored(_replica: SimReplica, envelope: Envelope): void {
    const place = placeOf(envelope);
    const isTaken = this.#authored.has(place);
    if (isTaken && !this.isCloned) this.#broken("I2", `${place} is written twice`);
    this.#authored.set(toHex(envelope.id), place);
    this.#authored.set(place, toHex(envelope.id));
  }

  /** The application was told that this is on disk. */
  saved(replica: SimReplica, envelope: Envelope): void {
    const saved = this.#savedBy.get(replica.name) ?? new Map<string, Envelope>();
    this.#savedBy.set(replica.name, saved);
    saved.set(toHex(envelope.id), envelope);
    this.#showOnce(replica, envelope);
  }

  /** Somebody put another disk in place: what was saved there may be gone. */
  diskReplaced(replica: SimReplica): void {
    this.#savedBy.delete(replica.name);
    this.#replaced.add(replica.name);
  }

  /** A start finds all that was ever promised to be on this disk. */
  started(replica: SimReplica, store: SimStore, engine: SimEngine): void {
    const shown = [...store.documents.values()].flatMap(({ log }) => log.map(placeOf));
    this.#shownBy.set(replica.name, new Set(shown));
    this.#holders.set(store.storeId, replica);
    for (const [document, { checkpoint }] of store.documents) {
      if (checkpoint) this.adopted(replica, document, checkpoint.vector);
      this.checkpointed(replica, store, document);
    }
    this.shows(replica, store, engine);
  }

  /** All that was saved on a disk is there, and in the document. */
  shows(replica: SimReplica, store: SimStore, engine: SimEngine): void {
    for (const [id, envelope] of this.#savedBy.get(replica.name) ?? []) {
      const { document, lane, seq } = envelope;
      const held = store.idAt(document, lane, seq);
      const isHeld = held ? toHex(held) === id : store.covers(envelope);
      if (!isHeld || !engine.shows(envelope)) {
        this.#broken("STO-1", `${replica.name} lost ${lane}/${seq}, which was saved`);
      }
    }
  }

  /** I6, and I1 with it: what is dropped from a log is in the checkpoint, and nothing else is dropped. */
  checkpointed(replica: SimReplica, store: SimStore, document: DocumentId): void {
    const { floors, checkpoint, vector, log } = store.documents.get(document)!;
    for (const [lane, floor] of floors) {
      if (floor > (checkpoint?.vector.get(lane)?.seq ?? 0)) {
        this.#broken("I6", `${replica.name} dropped ${lane}/${floor}, above its checkpoint`);
      }
    }
    for (const [lane, { seq }] of vector) {
      const count = log.filter((envelope) => envelope.lane === lane).length;
      if (count !== seq - (floors.get(lane) ?? 0)) {
        this.#broken("I1", `${replica.name} has ${count} envelopes of ${lane} up to ${seq}`);
      }
    }
  }

  /** What a checkpoint covers has taken effect with it. */
  adopted(replica: SimReplica, document: DocumentId, vector: VersionVector): void {
    const shown = this.#shownBy.get(replica.name) ?? new Set<string>();
    this.#shownBy.set(replica.name, shown);
    for (const [lane, { seq: last }] of vector) {
      for (let seq = 1; seq <= last; seq++) shown.add(`${document}/${lane}/${seq}`);
    }
  }

  /** Nothing takes effect that nobody wrote, or twice. */
  received(replica: SimReplica, envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) {
      const id = toHex(envelope.id);
      if (!this.#authored.has(id)) this.#broken("LOG-2", `${id} was never written`);
      this.saved(replica, envelope);
    }
  }

  forked(replica: SimReplica, document: DocumentId, lane: LaneId): void {
    if (!this.isCloned) this.#broken("WIR-12", `${lane} is called forked and has one writer`);
    const key = `${document}/${lane}`;
    this.#forks.set(key, (this.#forks.get(key) ?? new Set()).add(replica.name));
  }

  /** I8: equal logs are equal documents. */
  drifted(replica: SimReplica, document: DocumentId): void {
    const isMeant = this.isCloned || this.isFlipped;
    if (!isMeant) this.#broken("WIR-17", `${replica.name} shows another ${document}`);
  }

  /** A store that is said to have an envelope has it, unless its disk was replaced since. */
  replicated(replica: SimReplica, { store, document, lane, seq }: LaneReplicated): void {
    const holder = this.#holders.get(store);
    const held = holder?.store?.documents.get(document)?.vector.get(lane)?.seq ?? 0;
    const isKnown = holder?.isUp && !this.#replaced.has(holder.name) && !this.isCloned;
    if (isKnown && held < seq) {
      this.#broken("WIR-18", `${replica.name} believes that ${lane}/${seq} is on a disk`);
    }
  }

  /** Memory that peers can make a replica use has a bound. */
  holds(replica: SimReplica, bytes: number): void {
    this.heldBytesSeen = Math.max(this.heldBytesSeen, bytes);
    if (bytes > this.heldBytesMax) this.#broken("WIR-7", `${replica.name} holds ${bytes} bytes`);
  }

  /** I3 and I5: whatever leaves a replica is on its disk. */
  sends(replica: SimReplica, connection: number, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes, wireLimits.frameBytesMax);
    const { store } = replica;
    if (frame === undefined || store === undefined) return;
    const own = this.#names(replica.name, connection);
    switch (frame.name) {
      case "open":
        own.documents.set(frame.documentRef, frame.document);
        return;
      case "lane":
        own.lanes.set(frame.laneRef, decodeLane(testHash, frame.descriptor).id);
        return;
      case "push":
        return this.#checkPush(store, own, frame);
      case "ack":
        return this.#checkAck(store, own, connection, replica, frame);
      case "have":
        return this.#checkHave(store, own, frame);
      default:
    }
  }

  #checkPush(store: SimStore, own: Overheard, push: Extract<Frame, { name: "push" }>): void {
    const document = own.documents.get(push.documentRef);
    const lane = own.lanes.get(push.laneRef);
    assert(document !== undefined && lane !== undefined, "a push names what it is about");
    const lastSeq = push.firstSeq + push.envelopes.length - 1;
    if (lastSeq > store.durableSeq(document, lane)) {
      this.#broken("I3", `${lane}/${lastSeq} is sent before it is on disk`);
    }
  }

  #checkAck(
    store: SimStore,
    own: Overheard,
    connection: number,
    replica: SimReplica,
    ack: Extract<Frame, { name: "ack" }>,
  ): void {
    const document = own.documents.get(ack.documentRef);
    for (const { laneRef, seq, head } of ack.positions) {
      // The number is the peer's; a damaged LANE may have given it another meaning here.
      const peer = [...this.#overheard].find(([key]) => {
        return key.startsWith(`${connection}/`) && key !== `${connection}/${replica.name}`;
      });
      const lane = peer?.[1].lanes.get(laneRef);
      if (document === undefined || lane === undefined) continue;
      const held = store.idAt(document, lane, seq);
      // Of what is dropped no id is left; the checkpoint has it.
      const isHeld = held
        ? equalBytes(held.subarray(0, 8), head)
        : seq <= (store.documents.get(document)?.floors.get(lane) ?? 0);
      if (!isHeld && !this.isCloned) {
        this.#broken("I5", `${replica.name} acknowledges ${lane}/${seq} and does not hold it`);
      }
    }
  }

  #checkHave(store: SimStore, own: Overheard, have: Extract<Frame, { name: "have" }>): void {
    const document = own.documents.get(have.documentRef);
    if (document === undefined) return;
    for (const { lane, seq } of have.positions) {
      if (seq > store.durableSeq(document, lane)) {
        this.#broken("I3", `${lane}/${seq} is claimed before it is on disk`);
      }
    }
  }

  /** LOG-3: an envelope takes effect once in the life of a process, and its log is part of it. */
  #showOnce(replica: SimReplica, envelope: Envelope): void {
    const shown = this.#shownBy.get(replica.name) ?? new Set<string>();
    this.#shownBy.set(replica.name, shown);
    const place = placeOf(envelope);
    if (shown.has(place)) this.#broken("LOG-3", `${replica.name} applies ${place} twice`);
    shown.add(place);
  }

  #names(name: string, connection: number): Overheard {
    const key = `${connection}/${name}`;
    const names = this.#overheard.get(key) ?? { documents: new Map(), lanes: new Map() };
    this.#overheard.set(key, names);
    return names;
  }

  #broken(promise: string, what: string): never {
    throw new BrokenPromise(`[${promise}] ${what}`);
  }
}

function placeOf({ document, lane, seq }: Envelope): string {
  return `${document}/${lane}/${seq}`;
}
