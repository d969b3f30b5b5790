import {
  assert,
  HeddleError,
  HeddleErrorCode,
  type Random,
  type Scheduler,
} from "@heddle/core/base";
import * as Y from "yjs";

import { DeleteSet } from "./delete-set.ts";
import { EditSegment, type EditContext } from "./edit-segment.ts";
import { encodeSegment } from "./encode-segment.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { decodeStateVector } from "./state-vector.ts";
import { TransactionBounds, type ClientAdvance } from "./transaction-bounds.ts";
import { suppressRemoteCleanup, yjsEngine } from "./yjs-engine.ts";

/** A burst of edits, ready to be logged. */
export interface SealedEdits {
  /** Yjs V1, complete, in the order in which they depend on each other. None when the log has it all. */
  readonly updates: readonly Uint8Array[];
  /** Made of structs of other clients than the document's own: a template, an import, a provider. */
  readonly isImported: boolean;
  readonly context: EditContext | undefined;
  /** Transactions in it. */
  readonly edits: number;
  /** `HEDDLE_UPDATE_REFUSED`: Yjs cannot write them down, and so nobody can read them. */
  readonly failure?: HeddleError;
}

export interface BindingOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Of transactions that apply what the log brought; see {@link DocumentBinding.origin}. */
  readonly origin?: object;
  /** May be called in the middle of a transaction of the application: it must not throw. */
  onSealed(edits: SealedEdits): void;
  /** An edit was captured, and counts from now on. */
  onCaptured?(): void;
  /** Yjs, or the application, gave the document another client id than ours. */
  onClientRotated?(): void;
  /** Whether anybody would see the edits at once. Asked at the first edit of a window. */
  isListenedTo?(): boolean;
}

/** What the log holds of a document when it is attached. */
export interface AttachedLog {
  /** Yjs V1: everything that is on disk. */
  readonly state: Uint8Array;
  /** Yjs V1 state vector of {@link state}. */
  readonly stateVector: Uint8Array;
  /** Sealed earlier by this document, and perhaps not on disk. They are logged by whoever has them. */
  readonly ahead?: readonly ParsedUpdate[];
}

export interface AppliedUpdate {
  /** What observers of the application threw, if they did. The document is in order all the same. */
  readonly observerError?: unknown;
}

/** How long a first edit waits for others, in ms, and how much text and deletes may come together. */
export const sealWindow = { listenedMs: 40, idleMs: 500, sizeMax: 32 * 1024 } as const;

/**
 * Ties a live Yjs document to a log: captures whatever changes it and does not come from the log,
 * seals it in windows, and applies what the log brings.
 *
 * - Every transaction counts, whatever its origin and whoever's structs it brings; so does what is in
 *   the document before it is attached (LIV-3).
 * - A window is a fixed time from its first edit (LIV-1).
 * - Commits are applied under {@link origin} in one transaction and create no operations (DOC-4).
 * - Structs that Yjs holds pending are not in the document, and are not sealed before they are.
 *
 * The document is edited directly and may be edited at any time, before {@link attach} too.
 */
export class DocumentBinding {
  readonly ydoc: Y.Doc;
  /** Of transactions that apply what the log brought. */
  readonly origin: object;
  readonly #options: BindingOptions;
  readonly #bounds = new TransactionBounds();
  readonly #contexts = new WeakMap<Y.Transaction, EditContext>();
  /** Known by themselves: the application may use {@link origin} for edits of its own. */
  readonly #applied = new WeakSet<Y.Transaction>();
  #isApplying = false;
  /** Ids that were the document's own since it was attached, or made. */
  #ownClients = new Set<number>();
  #client = 0;
  /** What was in the document before anything was captured, until it is compared with the log. */
  #whole: EditSegment | undefined;
  #segments: EditSegment[] = [];
  /** For each client the clock below which the log has everything, or has been given it. */
  #known = new Map<number, number>();
  #entering: EditContext | undefined;
  #isAttached = false;
  #wasAttached = false;
  #hadPending = false;
  #cancelSeal: (() => void) | undefined;

  constructor(ydoc: Y.Doc, options: BindingOptions) {
    this.ydoc = ydoc;
    this.#options = options;
    this.origin = options.origin ?? Object.freeze({ name: "heddle" });
    suppressRemoteCleanup(ydoc);
    this.#whole = this.#wholeDocument();
    if (this.#whole.ranges.size === 0) this.#whole = undefined;
    else options.onCaptured?.();
    this.#takeClient();
    ydoc.on("beforeTransaction", this.#onBegin);
    ydoc.on("afterTransactionCleanup", this.#onEnd);
  }

  /** Transactions that were captured and not sealed. */
  get edits(): number {
    const whole = this.#whole ? 1 : 0;
    return this.#segments.reduce((sum, { edits }) => sum + edits, whole);
  }

  /**
   * Brings the document to the log and seals what the log lacks. Edits are sealed from now on. A
   * document that is attached again goes on under a new client id, for a new lane.
   *
   * @throws HeddleError `HEDDLE_UPDATE_REFUSED` as {@link apply}.
   */
  attach({ state, stateVector, ahead = [] }: AttachedLog): AppliedUpdate {
    assert(!this.#isAttached, "a binding has one log at a time");
    this.#known = decodeStateVector(stateVector);
    for (const update of ahead) this.#learnNext(update);
    if (this.#wasAttached) {
      this.#whole = this.#wholeDocument();
      this.#ownClients = new Set();
    }
    if (this.#whole) this.#addMissing(this.#whole, [state, ...ahead.map(({ bytes }) => bytes)]);
    this.#whole = undefined;
    this.#isAttached = this.#wasAttached = true;
    if (this.#needsClient()) this.#takeClient();
    const outcome = this.#applyBytes(state);
    this.flush();
    return outcome;
  }

  /** Seals what was captured; edits are kept from now on until the document is attached again. */
  detach(): void {
    if (!this.#isAttached) return;
    this.flush();
    this.#isAttached = false;
  }

  /**
   * Applies what the log brought.
   *
   * @throws HeddleError `HEDDLE_UPDATE_REFUSED` when Yjs failed: the document cannot be used any more.
   */
  apply(update: Uint8Array, parts: readonly ParsedUpdate[]): AppliedUpdate {
    for (const part of parts) this.#learn(part);
    return this.#applyBytes(update);
  }

  /** Edits of `edit` travel with `context`. Inside another transaction they belong to that one. */
  transact<Result>(
    edit: () => Result,
    context: EditContext | undefined,
    origin: unknown = null,
  ): Result {
    this.#entering = context;
    try {
      return this.ydoc.transact(edit, origin);
    } finally {
      this.#entering = undefined;
    }
  }

  /** Seals what was captured so far. Nothing happens while there is no log. */
  flush(): void {
    this.#cancelSeal?.();
    this.#cancelSeal = undefined;
    if (!this.#isAttached) return;
    const segments = this.#segments;
    this.#segments = [];
    const sealed = segments.map((segment) => this.#seal(segment));
    for (const edits of sealed) this.#options.onSealed(edits);
  }

  /** Goes on under another client id, for another lane. What was captured is sealed first. */
  renewClient(): void {
    this.flush();
    this.#ownClients = new Set();
    this.#takeClient();
  }

  /** Lets go of the document; what was captured and not sealed is dropped. */
  destroy(): void {
    this.#cancelSeal?.();
    this.#isAttached = false;
    this.ydoc.off("beforeTransaction", this.#onBegin);
    this.ydoc.off("afterTransactionCleanup", this.#onEnd);
  }

  readonly #onBegin = (transaction: Y.Transaction): void => {
    this.#bounds.begin(transaction);
    if (this.#isApplying && transaction.origin === this.origin) this.#applied.add(transaction);
    this.#isApplying = false;
    if (this.#entering !== undefined) this.#contexts.set(transaction, this.#entering);
    this.#entering = undefined;
  };

  readonly #onEnd = (transaction: Y.Transaction): void => {
    const advances = this.#bounds.end(transaction);
    const isOurs = this.#applied.has(transaction);
    if (this.ydoc.clientID !== this.#client) this.#noteRotation(isOurs || !transaction.local);
    if (isOurs) {
      if (this.#hadPending) this.#captureReleased(transaction, advances);
      return;
    }
    if (advances.length === 0 && transaction.deleteSet.clients.size === 0) return;
    const isImported =
      !transaction.local || advances.some(({ client }) => !this.#ownClients.has(client));
    const segment = this.#segmentFor(isImported, this.#contexts.get(transaction));
    for (const { client, from, to } of advances) segment.addRange(client, from, to);
    this.#finish(segment, transaction);
  };

  /** What the application had brought too early came into the document with what it waited for. */
  #captureReleased(transaction: Y.Transaction, advances: readonly ClientAdvance[]): void {
    const segment = new EditSegment(true);
    for (const { client, from, to } of advances) {
      const start = Math.max(from, this.#known.get(client) ?? 0);
      if (start < to) segment.addRange(client, start, to);
    }
    if (segment.ranges.size === 0 && transaction.deleteSet.clients.size === 0) return;
    this.#segments.push(segment);
    this.#finish(segment, transaction);
  }

  #finish(segment: EditSegment, { deleteSet }: Y.Transaction): void {
    segment.addDeletes(deleteSet);
    segment.edits++;
    this.#options.onCaptured?.();
    if (!this.#isAttached) return;
    if (this.#segments.reduce((sum, { size }) => sum + size, 0) >= sealWindow.sizeMax) {
      this.flush();
      return;
    }
    if (this.#cancelSeal) return;
    const isListenedTo = this.#options.isListenedTo?.() ?? true;
    const delayMs = isListenedTo ? sealWindow.listenedMs : sealWindow.idleMs;
    this.#cancelSeal = this.#options.scheduler.after(delayMs, () => this.flush());
  }

  #segmentFor(isImported: boolean, context: EditContext | undefined): EditSegment {
    const last = this.#segments.at(-1);
    if (last?.takes(isImported, context)) return last;
    const segment = new EditSegment(isImported, context);
    this.#segments.push(segment);
    return segment;
  }

  /** Everything that is in the document and was not captured. */
  #wholeDocument(): EditSegment {
    const segment = new EditSegment(true);
    const captured = new Map<number, number>();
    for (const { ranges } of this.#segments.toReversed()) {
      for (const [client, { from }] of ranges) captured.set(client, from);
    }
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(this.ydoc))) {
      segment.addRange(client, 0, captured.get(client) ?? clock);
    }
    segment.addDeletes(Y.createDeleteSetFromStructStore(this.ydoc.store));
    for (const { deletes } of this.#segments) segment.deletes.subtract(deletes);
    return segment;
  }

  /** Puts what the log lacks in front of what was captured. */
  #addMissing(whole: EditSegment, log: readonly Uint8Array[]): void {
    const wasCounted = !this.#wasAttached;
    for (const [client, { to }] of whole.ranges) {
      if (to <= (this.#known.get(client) ?? 0)) whole.ranges.delete(client);
    }
    if (whole.deletes.entries().length > 0) {
      // Deletes that Yjs derives are written down nowhere: only a document knows them.
      const loaded = yjsEngine.fold(log);
      const known = new DeleteSet();
      for (const deletes of loaded.deletes()) known.add(deletes);
      loaded.destroy();
      whole.deletes.subtract(known);
    }
    const isEmpty = whole.ranges.size === 0 && whole.deletes.entries().length === 0;
    if (isEmpty && !wasCounted) return;
    whole.edits = 1;
    this.#segments.unshift(whole);
    if (!wasCounted) this.#options.onCaptured?.();
  }

  #seal(segment: EditSegment): SealedEdits {
    const { context, edits } = segment;
    const isOwn = [...segment.ranges.keys()].every((client) => this.#ownClients.has(client));
    const isImported = segment.isImported || !isOwn;
    const sealed = { isImported, context, edits };
    try {
      const updates = encodeSegment(this.ydoc, segment, this.#known);
      for (const [client, { to }] of segment.ranges) this.#raise(client, to);
      return { ...sealed, updates };
    } catch (cause) {
      const message = "the engine failed on writing an edit down";
      const failure = new HeddleError(HeddleErrorCode.updateRefused, message, { cause });
      return { ...sealed, updates: [], failure };
    }
  }

  #applyBytes(update: Uint8Array): AppliedUpdate {
    const { store } = this.ydoc;
    this.#hadPending = store.pendingStructs !== null || store.pendingDs !== null;
    let isApplied = false;
    this.#isApplying = true;
    try {
      Y.transact(
        this.ydoc,
        () => {
          Y.applyUpdate(this.ydoc, update, this.origin);
          isApplied = true;
        },
        this.origin,
        false,
      );
      return {};
    } catch (cause) {
      // Yjs calls observers when everything is in place.
      if (isApplied) return { observerError: cause };
      const message = "the engine failed on an update of the log";
      throw new HeddleError(HeddleErrorCode.updateRefused, message, { cause });
    } finally {
      this.#isApplying = false;
    }
  }

  #learn({ runs }: ParsedUpdate): void {
    for (const { client, endClock } of runs) this.#raise(client, endClock);
  }

  /** What stands on what the log lacks says nothing of that: it may be another log than the one before. */
  #learnNext({ runs }: ParsedUpdate): void {
    for (const { client, clock, endClock } of runs) {
      if (clock <= (this.#known.get(client) ?? 0)) this.#raise(client, endClock);
    }
  }

  #raise(client: number, clock: number): void {
    if (clock > (this.#known.get(client) ?? 0)) this.#known.set(client, clock);
  }

  /** No id may be written by two lanes, and one that the log has seen belongs to another. */
  #needsClient(): boolean {
    if (!this.#ownClients.has(this.ydoc.clientID)) return true;
    const isUsed = this.#segments.some(({ ranges }) => ranges.has(this.ydoc.clientID));
    return this.#known.has(this.ydoc.clientID) && !isUsed;
  }

  #takeClient(): void {
    let client: number;
    do {
      const bytes = this.#options.random.bytes(4);
      client = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    } while (client === 0 || this.#known.has(client) || this.ydoc.store.clients.has(client));
    this.ydoc.clientID = client;
    this.#client = client;
    this.#ownClients.add(client);
  }

  /** @param byYjs it found its own id in what somebody else had made, and took a random one. */
  #noteRotation(byYjs: boolean): void {
    if (byYjs || this.#known.has(this.ydoc.clientID)) this.#takeClient();
    this.#client = this.ydoc.clientID;
    this.#ownClients.add(this.#client);
    this.#options.onClientRotated?.();
  }
}
