import {
  decodeEnvelope,
  isHeddleError,
  limits,
  toHex,
  type DocumentId,
  type Environment,
  type KeptFork,
  type PeerAck,
  type LogBatch,
  type LogStore,
  type PeerCursor,
  type StoreId,
} from "@heddle/core";
import type { FeedCursor, ForkProof, KeptAck, KeptRefusal } from "@heddle/sync";

export interface PeerNotesOptions {
  readonly store: LogStore;
  readonly environment: Environment;
}

/** What is only quicker to know than to learn again is written this often at most. */
const flushMs = 1_000;

/**
 * What a replica keeps of its peers beside the log. Proof is written at once; where it stands with whom
 * is gathered, because what is lost of that is learnt again by comparing.
 */
export class PeerNotes {
  readonly #options: PeerNotesOptions;
  readonly #cursors = new Map<StoreId, PeerCursor>();
  /** The last word on each place of each peer. */
  readonly #acks = new Map<string, PeerAck>();
  /** Peers that have a cursor on disk, which acknowledgements hang on. */
  readonly #known = new Set<StoreId>();
  #cancelFlush: (() => void) | undefined;

  constructor(options: PeerNotesOptions) {
    this.#options = options;
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`. */
  async readCursors(): Promise<ReadonlyMap<StoreId, FeedCursor>> {
    const kept = await this.#options.store.readCursors();
    this.#known.clear();
    for (const { store } of kept) this.#known.add(store);
    return new Map(
      kept.map(({ store, incarnation, arrival }) => [store, { incarnation, arrival }]),
    );
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`. */
  async readForks(document: DocumentId): Promise<readonly ForkProof[]> {
    const { hash } = this.#options.environment;
    const open = (bytes: Uint8Array) => decodeEnvelope(hash, bytes);
    const kept = await this.#options.store.readForks(document);
    return kept.map(({ lane, branchA, branchB }) => {
      return { lane, branchA: branchA.map(open), branchB: branchB.map(open) };
    });
  }

  keepCursor(store: StoreId, { incarnation, arrival }: FeedCursor): void {
    this.#known.add(store);
    this.#cursors.set(store, { store, incarnation, arrival });
    this.#flushSoon();
  }

  keepAcks(acks: readonly KeptAck[]): void {
    for (const { store, incarnation, document, lane, seq } of acks) {
      if (!this.#known.has(store)) this.keepCursor(store, { incarnation, arrival: 0 });
      this.#acks.set(store + document + lane, { store, document, lane, seq });
    }
    this.#flushSoon();
  }

  keepRefusal(refusal: KeptRefusal): void {
    const atMs = this.#options.environment.clock.nowMs();
    this.#append({ refused: [{ ...refusal, atMs }] });
  }

  forgetRefusal({ document, lane, seq, store }: KeptRefusal): void {
    this.#append({ accept: [{ document, lane, seq, store }] });
  }

  keepFork(document: DocumentId, { lane, branchA, branchB }: ForkProof): void {
    const { clock, logger } = this.#options.environment;
    const bytes = [...branchA, ...branchB].reduce((sum, each) => sum + each.bytes.length, 0);
    // Whoever signs two such envelopes must not stop the store. Frozen all the same.
    const isKept = bytes <= limits.forkBytesMax;
    const fork: KeptFork = {
      document,
      lane,
      seq: branchA[0]!.seq,
      branchA: isKept ? branchA.map((envelope) => envelope.bytes) : [],
      branchB: isKept ? branchB.map((envelope) => envelope.bytes) : [],
      foundAtMs: clock.nowMs(),
    };
    const device = toHex(lane.devicePublicKey);
    logger.error("lane.forked", { document, lane: lane.id, seq: fork.seq, device, isKept });
    this.#append({ forks: [fork] });
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const cursors = [...this.#cursors.values()];
    const acks = [...this.#acks.values()];
    this.#cursors.clear();
    this.#acks.clear();
    if (cursors.length + acks.length > 0) this.#append({ cursors, acks });
  }

  /** What was gathered and not written is forgotten: it may not be true any more. */
  discard(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#cursors.clear();
    this.#acks.clear();
  }

  #flushSoon(): void {
    this.#cancelFlush ??= this.#options.environment.scheduler.after(flushMs, () => this.flush());
  }

  #append(batch: LogBatch): void {
    const { store, environment } = this.#options;
    store.append(batch).catch((error: unknown) => {
      // The store tells its failure to whoever has to act on it; these notes are learnt again.
      if (!isHeddleError(error)) throw error;
      environment.logger.warn("peer.notes_lost", { code: error.code });
    });
  }
}
