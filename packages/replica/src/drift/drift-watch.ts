import {
  HeddleErrorCode,
  HybridClock,
  isHeddleError,
  toHex,
  type DocumentId,
  type LaneId,
} from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import type { AdoptAnswer, OfferedCheckpoint, SyncEvent } from "@heddle/sync";

import { isOfStore } from "../document-damage.ts";
import { EngineFolder } from "../engine-folder.ts";
import { EventListeners } from "../live/event-listeners.ts";
import { adoptInPlace } from "./adopt-in-place.ts";
import { AuditJournal, readAuditJournal, type JournaledEntry } from "./audit-journal.ts";
import { DegradedDocuments, reachOf, type Allowed, type SoundPart } from "./degraded-documents.ts";
import { DocumentDigests } from "./document-digests.ts";
import { DriftCases } from "./drift-cases.ts";
import {
  defaultDriftTimes,
  type DriftPeers,
  type DriftTimes,
  type DriftWatchOptions,
} from "./drift-options.ts";
import {
  countCause,
  newDriftCounters,
  type DriftCounters,
  type DriftReport,
} from "./drift-report.ts";
import { lookAtDocument, type LookTools } from "./look-at-document.ts";
import { hasBase, type MendingHere } from "./mend-here.ts";
import { PeerAlarms } from "./peer-alarms.ts";
import { LookTurns } from "./look-turns.ts";
import { Waiting } from "./waiting.ts";

const inThreadBytesMax = 2 * 1024 * 1024;
const stopMsMax = 5_000;

/**
 * Finds documents that are not what their log adds up to, or not what peers show of the same log, and has
 * them repaired:
 *
 *   audit, peers' digests, reads that meet damage ──► look ──differs──► case ──► repaired, or degraded
 *
 * Every case is reported, logged, counted and in the journal of the store.
 */
export class DriftWatch {
  readonly counters: DriftCounters = newDriftCounters();
  /** What documents show, for peers. */
  readonly digests: DocumentDigests;
  readonly #options: DriftWatchOptions;
  readonly #times: DriftTimes;
  readonly #tools: LookTools;
  readonly #mending: MendingHere;
  readonly #journal: AuditJournal;
  readonly #degraded: DegradedDocuments;
  readonly #cases: DriftCases;
  readonly #alarms: PeerAlarms;
  readonly #waiting: Waiting;
  readonly #reports = new EventListeners<{ readonly drift: DriftReport }>();
  #peers: DriftPeers | undefined;
  #auditing: Promise<void> | undefined;
  #cancelAudit: (() => void) | undefined;

  constructor(options: DriftWatchOptions) {
    const { replica, store, environment, signer } = options;
    this.#options = options;
    this.#times = { ...defaultDriftTimes, ...options.times };
    const { hash, compression, scheduler, clock } = environment;
    const folder = options.folder ?? new EngineFolder(yjsEngine, { hash, compression });
    const hybrid = new HybridClock(clock, store.opening.lastHlc);
    const tick = () => hybrid.tick();
    const by = toHex(signer.devicePublicKey);
    // In this thread nothing large is put together.
    const payloadBytesMax = options.folder ? undefined : inThreadBytesMax;
    const foldable = payloadBytesMax === undefined ? {} : { payloadBytesMax };
    const turns = new LookTurns();
    this.#tools = { replica, store, environment, folder, turns, ...foldable };
    this.#waiting = new Waiting(scheduler);
    this.#journal = new AuditJournal({ store, environment, by, tick });
    this.digests = new DocumentDigests(
      this.#tools,
      this.counters,
      this.#times.digests,
      (document) => this.suspect(document),
    );
    const { space } = replica;
    const journal = this.#journal;
    this.#mending = { replica, store, environment, folder, signer, space, tick, journal };
    this.#degraded = new DegradedDocuments({
      store,
      environment,
      journal,
      onMended: (document) => this.#cases.mended(document),
    });
    this.#cases = new DriftCases({
      tools: this.#tools,
      mending: this.#mending,
      journal,
      degraded: this.#degraded,
      digests: this.digests,
      waiting: this.#waiting,
      times: this.#times,
      counters: this.counters,
      report: (report) => this.#report(report),
    });
    replica.restored.on((document) => this.#restored(document));
    this.#alarms = new PeerAlarms({
      cases: this.#cases,
      counters: this.counters,
      waiting: this.#waiting,
      times: this.#times,
      peers: () => this.#peers,
      nowMs: () => clock.monotonicMs(),
    });
  }

  /** Documents that could not be repaired, and are looked at again with each audit. */
  get degraded(): readonly DocumentId[] {
    return this.#cases.degraded;
  }

  /** Entries of the journal that the store has not taken. */
  get unwrittenEntries(): number {
    return this.#journal.unwritten;
  }

  /** How often all is looked at; `Infinity` for never. */
  get auditIntervalMs(): number {
    return this.#times.auditIntervalMs > 0 ? this.#times.auditIntervalMs : Infinity;
  }

  /** How long one side may lack something of a log before that is a case. */
  get laggingMs(): number {
    return this.#times.laggingMs;
  }

  /** Calls `listener` for each step of each case; the returned function stops that. */
  on(name: "drift", listener: (report: DriftReport) => void): () => void {
    return this.#reports.on(name, listener);
  }

  /** Whoever speaks with peers; before {@link start}, if at all. */
  attach(peers: DriftPeers): void {
    this.#peers = peers;
    this.#cases.attach(peers);
  }

  /** Looks at what was found damaged at the start, and audits from now on. */
  start(): void {
    for (const document of this.#options.replica.recovery.documentsDamaged) this.suspect(document);
    this.#schedule(this.#times.firstAuditMs);
  }

  /** Somebody met damage in a document, or thinks that it is not right: it is looked at now. */
  suspect(document: DocumentId): void {
    this.#cases.suspect(document);
  }

  onSyncEvent(event: SyncEvent): void {
    this.#alarms.onSyncEvent(event);
  }

  /**
   * Looks at all documents, one after the other and with pauses. What is open is compared with its log, of all
   * else each record is read.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` when the store cannot be read at all.
   */
  audit(): Promise<void> {
    this.#auditing ??= this.#audit().finally(() => {
      this.#auditing = undefined;
    });
    return this.#auditing;
  }

  /** The journal of this replica, oldest first. @throws HeddleError `HEDDLE_STORAGE_*`. */
  journal(after?: number): AsyncIterable<JournaledEntry> {
    return readAuditJournal(this.#options.store, after);
  }

  /** Resolves when no case is being worked on. */
  settled(): Promise<void> {
    return this.#cases.settled();
  }

  /** Whether peers are shown only what is whole of it. */
  isDegraded(document: DocumentId): boolean {
    return this.#degraded.has(document);
  }

  /** What is whole of a degraded document. @throws HeddleError `HEDDLE_STORAGE_*`. */
  async soundPart(document: DocumentId): Promise<SoundPart> {
    const isBaseLost = !(await hasBase(this.#tools, document));
    return this.#degraded.soundPart(document, isBaseLost, this.#allowedIn(document));
  }

  /** How far each of its lanes is whole. @throws HeddleError `HEDDLE_STORAGE_*`. */
  async reach(document: DocumentId): Promise<ReadonlyMap<LaneId, number>> {
    const survey = await this.#options.store.surveyDocument(document);
    const isBaseLost = !(await hasBase(this.#tools, document));
    return survey ? reachOf(survey, isBaseLost, this.#allowedIn(document)) : new Map();
  }

  /** Takes runs of a degraded document; see {@link DegradedDocuments.take}. */
  get take(): DegradedDocuments["take"] {
    return (ask) => this.#degraded.take(ask);
  }

  /** Takes a checkpoint of a peer in the place of what is damaged. @throws HeddleError `HEDDLE_STORAGE_*`. */
  async adopt(offered: OfferedCheckpoint): Promise<AdoptAnswer> {
    const { id } = offered.entry;
    const adopting = { ...this.#mending, writtenLane: undefined };
    const answer = await this.#options.replica.access.pruning(id, () => {
      return adoptInPlace(adopting, offered, this.#degraded.caseOf(id)?.correlationId);
    });
    if (answer.outcome === "unreadable") this.#cases.mended(id);
    return answer;
  }

  /** Lets go of timers. What is being looked at comes to its end, unless it waits for a store that failed. */
  async stop(): Promise<void> {
    this.#cancelAudit?.();
    this.#waiting.stop();
    this.#tools.turns.stop();
    this.digests.stop();
    const audited = this.#auditing?.catch((error: unknown) => this.#failed("audit", error));
    let cancel: (() => void) | undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancel = this.#options.environment.scheduler.after(stopMsMax, resolve);
    });
    await Promise.race([Promise.all([audited, this.settled()]), timeUp]);
    cancel?.();
  }

  #allowedIn(document: DocumentId): Allowed | undefined {
    const { members } = this.#options.replica;
    return members && ((lane) => members.allowedSeq(document, lane));
  }

  #schedule(delayMs: number): void {
    if (this.#times.auditIntervalMs <= 0 || this.#waiting.isStopped) return;
    this.#cancelAudit = this.#options.environment.scheduler.after(delayMs, () => {
      this.audit()
        .catch((error: unknown) => this.#failed("audit", error))
        .finally(() => this.#schedule(this.#times.auditIntervalMs));
    });
  }

  async #audit(): Promise<void> {
    const { replica, store, environment } = this.#options;
    const { clock, logger } = environment;
    const startedMs = clock.monotonicMs();
    let documents = 0;
    let found = 0;
    for (const id of await store.readDocumentIds()) {
      if (this.#waiting.isStopped) return;
      const beganMs = clock.monotonicMs();
      const isShallow = (replica.loaded(id)?.listenerCount ?? 0) === 0;
      const isRetried = this.#cases.retry(id);
      if (isShallow && !isRetried && !this.#times.auditsRecords) continue;
      if (!isRetried && (await this.#auditDocument(id, isShallow))) found++;
      documents++;
      this.counters.documentsAudited++;
      await this.#waiting.sleep((clock.monotonicMs() - beganMs) * this.#times.auditRestFactor);
    }
    this.counters.audits++;
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    logger.info("drift.audited", { documents, found, degraded: this.degraded.length, tookMs });
  }

  /** One that cannot be looked at keeps no other from being looked at. */
  async #auditDocument(id: DocumentId, isShallow: boolean): Promise<boolean> {
    try {
      const look = await lookAtDocument(this.#tools, id, { isShallow });
      if (look?.finding === undefined) return false;
      this.#cases.found(id, { ...look, finding: look.finding });
      return true;
    } catch (error) {
      if (isOfStore(error) || isHeddleError(error, HeddleErrorCode.storageClosed)) throw error;
      this.#failed(`audit of document ${id}`, error);
      return false;
    }
  }

  /** Its own record was damaged and is there again: what else is wrong with it can be repaired now. */
  #restored(document: DocumentId): void {
    if (this.degraded.includes(document)) this.#cases.retry(document);
    if (this.#cases.has(document)) return this.#cases.mended(document);
    const finding = {
      document,
      cause: "damaged-store",
      side: "here",
      why: "its own record was damaged",
    } as const;
    countCause(this.counters.found, finding.cause);
    countCause(this.counters.repaired, finding.cause);
    this.#report({ ...finding, stage: "found" });
    this.#report({ ...finding, stage: "repaired", action: "corrected", result: "applied" });
  }

  #report(report: DriftReport): void {
    const { document, stage, cause, side, why, action, result, peer } = report;
    const fields = { document, cause, side, why, action, result, peer };
    const { logger } = this.#options.environment;
    if (stage === "repaired") logger.info("drift.repaired", fields);
    else if (stage === "found") logger.warn("drift.found", fields);
    else logger.error("drift.degraded", fields);
    this.#options.onReport?.(report);
    this.#reports.emit("drift", report);
  }

  #failed(what: string, error: unknown): void {
    if (!isHeddleError(error)) throw error;
    const fields = { what, code: error.code, error: error.message };
    this.#options.environment.logger.warn("drift.failed", fields);
  }
}
