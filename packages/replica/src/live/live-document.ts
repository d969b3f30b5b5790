import {
  type HeddleError,
  HeddleErrorCode,
  isHeddleError,
  parseDocumentName,
  type DocumentName,
  type Environment,
} from "@heddle/core/base";
import type { YDoc } from "@heddle/document";
import type { Awareness } from "y-protocols/awareness";

import type { Copies } from "../peers/replication-waits.ts";
import { waitFor, waitUntil, type WaitOptions } from "../wait-until.ts";
import type { DocumentCommit } from "../document-host.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import { DocumentHome } from "./document-home.ts";
import { transactDescribed, type EditDescription } from "./edit-description.ts";
import { EditSubmission } from "./edit-submission.ts";
import { EventListeners } from "./event-listeners.ts";
import { dropLost, type Replacement } from "./lost-edits.ts";
import type { LiveDocumentOptions } from "./live-document-options.ts";
import type { LiveEvents, LiveState, LiveStatus } from "./live-events.ts";
import { SaveProgress } from "./save-progress.ts";
import { ShownDocument } from "./shown-document.ts";
import { replicaClosed } from "./trouble.ts";

/**
 * One document of a replica as an application edits it: a Yjs document tied to the log.
 *
 * - It is there at once; edits made before the log is open count (LIV-3).
 * - Own edits are shown at once, and are "saved" when they are on disk (LIV-6); everybody else's are
 *   on disk before they are shown (RLY-1).
 * - What the store does not take for now is kept and written when it does (LIV-7).
 * - What can never be written is handed back with a `refused` event; a document that must not go on is
 *   replaced with a `reset` event (LIV-8).
 */
export class LiveDocument implements AsyncDisposable {
  readonly name: DocumentName;
  readonly #environment: Environment;
  readonly #events = new EventListeners<LiveEvents>();
  readonly #options: LiveDocumentOptions;
  readonly #progress = new SaveProgress();
  readonly #submission: EditSubmission;
  readonly #shown: ShownDocument;
  #generation = 0;
  #home: DocumentHome;
  #document: ReplicaDocument | undefined;
  #stopListening: (() => void) | undefined;
  #hasLoaded = false;
  #replacement: Replacement | undefined;
  /** Since something was saved. */
  #resets = 0;
  #error: HeddleError | undefined;
  #isClosing = false;
  #end: "failed" | "closed" | undefined;
  #opening: Promise<void>;

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `name` cannot be the name of a document. */
  constructor(options: LiveDocumentOptions) {
    const { home, environment, name, ydoc } = options;
    this.name = parseDocumentName(name);
    this.#options = options;
    this.#environment = environment;
    this.#submission = this.#openSubmission();
    this.#shown = this.#show(ydoc);
    this.#home = new DocumentHome(home, environment.scheduler, () => this.#fail(replicaClosed()));
    this.#opening = this.#open();
  }

  /** Edit it directly. Another one after a `reset`. */
  get ydoc(): YDoc {
    return this.#shown.ydoc;
  }

  /** Of the present {@link ydoc}. */
  get awareness(): Awareness {
    return this.#shown.awareness;
  }

  /** Origin of the transactions that bring what others wrote. */
  get origin(): object {
    return this.#shown.binding.origin;
  }

  get status(): LiveStatus {
    const { unsaved } = this.#progress;
    return { state: this.#state, unsaved, generation: this.#generation, error: this.#error };
  }

  on<Name extends keyof LiveEvents>(
    name: Name,
    listener: (event: LiveEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Resolves when the document shows what the log holds.
   *
   * @throws HeddleError what it failed with, or `HEDDLE_STORAGE_CLOSED`; or the signal's reason, as all
   * that wait here.
   */
  async whenLoaded(options?: WaitOptions): Promise<void> {
    for (let opening; opening !== this.#opening;) {
      opening = this.#opening;
      await waitFor(opening, options);
    }
    if (this.#end !== undefined) throw this.#error ?? replicaClosed();
  }

  /**
   * Resolves when every edit so far is on this disk.
   *
   * @throws HeddleError when it cannot be: what was refused, or why the document failed.
   */
  async whenSaved(options: WaitOptions = {}): Promise<void> {
    const isLost = this.#end !== undefined && this.#progress.unsaved > 0;
    if (isLost) throw this.#error ?? replicaClosed();
    this.flush();
    await waitUntil((resolve, reject) => {
      return this.#progress.afterSaved((failure) => (failure ? reject(failure) : resolve()));
    }, options);
  }

  /**
   * Resolves when everything that was typed by now is on a relay's disk.
   *
   * @throws HeddleError as {@link whenSaved}; `HEDDLE_CONFIG_INVALID` for a replica without peers.
   */
  whenRelayed(options?: WaitOptions): Promise<void> {
    return this.whenReplicated("relay", options);
  }

  /** As {@link whenRelayed}, on the disks of so many other replicas. */
  async whenReplicated(copies: Copies, options: WaitOptions = {}): Promise<void> {
    await this.whenSaved(options);
    await this.#home.whenReplicated(this.#document, copies, options);
  }

  /** Whether peers are brought the document, and bring what is new of it; they are unless told not to. */
  setShared(isShared: boolean): void {
    this.#home.setShared(isShared, this.#document);
  }

  /** Goes on in another replica with all that its log lacks: the store of the one before is lost. */
  moveTo(home: LiveDocumentOptions["home"]): void {
    if (this.#end !== undefined) return;
    this.#release();
    this.#home = this.#home.moveTo(home);
    this.#resets = 0;
    this.#error = undefined;
    this.#reopen();
  }

  /** Seals what was typed so far, without waiting for the end of the window. */
  flush(): void {
    this.#shown.binding.flush();
  }

  /**
   * One transaction, with what the application says about it: written into its envelope for good, and
   * readable by everybody who reads the log. Inside another transaction it belongs to that one.
   *
   * @throws HeddleError `HEDDLE_CONFIG_INVALID` when the reason or the id is too long, or is no `traceparent`.
   */
  transact<Result>(edit: () => Result, about: EditDescription = {}): Result {
    const { binding } = this.#shown;
    const { clock } = this.#environment;
    const { telemetry } = this.#home;
    const document = this.#document?.entry.id;
    return transactDescribed({ binding, clock, telemetry, document }, edit, about);
  }

  /** Takes in what a peer says about who is there. */
  applyPresence(update: Uint8Array): void {
    this.#shown.applyPresence(update);
  }

  /**
   * Waits for the disk, then lets go of the log. The Yjs document is destroyed if it was made here.
   *
   * @throws HeddleError when edits could not be saved: what the store, or the document, failed with.
   */
  async close(): Promise<void> {
    if (this.#end === "closed") return;
    this.#isClosing = true;
    try {
      if (this.#error && this.#progress.unsaved > 0) throw this.#error;
      await this.whenSaved();
    } finally {
      this.#letGo("closed");
      this.#home.leave();
      this.#shown.destroy();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #state(): LiveState {
    if (this.#end !== undefined) return this.#end;
    if (this.#error !== undefined) return "suspended";
    if (this.#document === undefined) return "loading";
    return this.#progress.unsaved > 0 ? "saving" : "saved";
  }

  #openSubmission(): EditSubmission {
    return new EditSubmission({
      scheduler: this.#environment.scheduler,
      onSaved: (edits, isUpdate) => {
        if (isUpdate) this.#resets = 0;
        this.#progress.saved(edits);
        this.#noteStatus();
      },
      onPaused: (error) => this.#suspend(error),
      onRetry: () => {
        this.#error = undefined;
        this.#submission.pump();
        this.#noteStatus();
      },
      onRefused: (error, refused) => this.#startOver({ error, refused }),
    });
  }

  #show(ydoc: YDoc | undefined): ShownDocument {
    return new ShownDocument({
      environment: this.#environment,
      ydoc,
      awareness: this.#options.awareness,
      origin: this.#options.origin,
      progress: this.#progress,
      isListenedTo: () => (this.#document?.listenerCount ?? 0) > 1,
      onCaptured: () => {
        this.#progress.captured();
        this.#noteStatus();
      },
      onClientRotated: () => {
        const document = this.#document?.entry.id;
        this.#environment.logger.warn("document.client_rotated", { document });
      },
      onSealed: (edits) => {
        this.#submission.queue.push(edits);
        this.#submission.pump();
      },
      onPresence: (update) => this.#events.emit("presence", update),
    });
  }

  async #open(): Promise<void> {
    const home = this.#home;
    // After a reset: whoever resets has not finished yet.
    await Promise.resolve();
    await home.open(this.name, {
      isWanted: () => this.#end === undefined && this.#home === home,
      // A store that fails at every write is not asked again and again.
      waits: this.#resets > 1 ? this.#resets : 0,
      attach: (document) => this.#attach(document),
      onTrouble: (error) => this.#suspend(error),
      onFailed: (error) => this.#fail(error),
    });
  }

  #attach(document: ReplicaDocument): void {
    if (this.#replacement && this.#shown.isGiven) {
      this.#home.release(document);
      this.#giveUp(this.#replacement, document);
      return;
    }
    try {
      if (this.#replacement) this.#replace(this.#replacement, document);
      else this.#continue(document);
    } catch (error) {
      this.#home.release(document);
      throw error;
    }
    this.#document = document;
    this.#home.share(document);
    this.#stopListening = document.subscribe({
      onCommit: (commit) => this.#onCommit(commit),
      onReset: (reset) => this.#onReset(reset),
      onLaneEnded: () => this.#shown.renewClient(),
      shown: (withContent) => this.#shown.digests(withContent),
      pending: () => this.#shown.pending,
    });
    this.#hasLoaded = true;
    this.#error = undefined;
    this.#submission.attach(document);
    this.#noteStatus();
  }

  /** The same Yjs document goes on, with what the log has brought meanwhile. */
  #continue(document: ReplicaDocument): void {
    this.#shown.binding.detach();
    // A document only comes back when the lane it was written in is over.
    if (this.#hasLoaded) this.#submission.queue.disown();
    this.#shown.continue(document, this.#submission.queue.updates);
  }

  /** A new Yjs document with what the log holds, and what was typed and is not there yet. */
  #replace(replacement: Replacement, document: ReplicaDocument): void {
    const previous = this.#shown.ydoc;
    this.#shown.end();
    this.#reportLost(replacement, document);
    this.#replacement = undefined;
    this.#shown.renew(document, this.#submission.queue.updates);
    const generation = ++this.#generation;
    const { error } = replacement;
    this.#events.emit("reset", { generation, error, previous, ydoc: this.ydoc, unsaved: [] });
  }

  /** The application's own document cannot be replaced: it has to bring another one. */
  #giveUp(replacement: Replacement, document: ReplicaDocument): void {
    const { error } = replacement;
    this.flush();
    this.#reportLost(replacement, document);
    const unsaved = this.#submission.queue.updates.map(({ bytes }) => bytes);
    const generation = ++this.#generation;
    this.#fail(error);
    const event = { generation, error, previous: this.ydoc, ydoc: undefined, unsaved };
    this.#events.emit("reset", event);
  }

  #reportLost({ error, refused }: Replacement, document: ReplicaDocument): void {
    if (refused === undefined) return;
    const lost = dropLost(this.#submission.queue, document.encodeSince(), refused);
    this.#progress.lost(lost.edits, error);
    this.#events.emit("refused", { generation: this.#generation, error, ...lost });
  }

  #onCommit({ update, parts, sources }: DocumentCommit): void {
    if (sources.every((source) => this.#submission.isOwn(source))) return;
    try {
      this.#shown.apply(update, parts);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      const document = this.#document?.entry.id;
      this.#environment.logger.error("document.apply_failed", { document });
      this.#startOver({ error, refused: undefined });
    }
  }

  #onReset(error: HeddleError): void {
    const isRecall = error.code === HeddleErrorCode.documentReset;
    if (isRecall) this.#replacement ??= { error, refused: undefined };
    else this.#suspend(error);
    this.#resets++;
    this.#reopen();
  }

  /** The Yjs document shows what the log will never hold, or is broken. */
  #startOver(replacement: Replacement): void {
    this.#replacement = replacement;
    this.#release();
    this.#reopen();
  }

  #reopen(): void {
    this.#detach();
    this.#noteStatus();
    this.#opening = this.#open();
  }

  #release(): void {
    const document = this.#document;
    this.#detach();
    if (document) this.#home.release(document);
  }

  #detach(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#document = undefined;
    this.#submission.detach();
    this.#home.endWait();
  }

  #suspend(error: HeddleError): void {
    this.#error = error;
    if (this.#isClosing) this.#progress.fail(error);
    this.#noteStatus();
  }

  #fail(error: HeddleError): void {
    if (this.#end !== undefined) return;
    this.#error = error;
    this.#letGo("failed");
    this.#progress.fail(error);
  }

  #letGo(end: "failed" | "closed"): void {
    this.#end = end;
    this.#release();
    this.#noteStatus();
  }

  #noteStatus(): void {
    this.#events.emit("status", this.status);
  }
}
