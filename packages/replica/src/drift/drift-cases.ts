import { equalBytes, isHeddleError, type DocumentId, type StoreId } from "@heddle/core";
import {
  nextDriftCase,
  openDriftCase,
  outcomeOf,
  type AuditValue,
  type ContentDigests,
  type DriftCase,
  type DriftEvent,
  type DriftFinding,
  type DriftStep,
} from "@heddle/reconcile";

import type { AuditJournal, AuditNote } from "./audit-journal.ts";
import type { DegradedDocuments } from "./degraded-documents.ts";
import type { DocumentDigests } from "./document-digests.ts";
import type { DriftPeers, DriftTimes } from "./drift-options.ts";
import { countCause, type DriftCounters, type DriftReport } from "./drift-report.ts";
import {
  lookAtDocument,
  type DriftLook,
  type HeardDigests,
  type LookTools,
} from "./look-at-document.ts";
import { findToLeaveOut, leaveOut } from "./leave-out.ts";
import { mendHere, type MendingHere } from "./mend-here.ts";
import type { Waiting } from "./waiting.ts";

export interface DriftCasesParts {
  readonly tools: LookTools;
  readonly mending: MendingHere;
  readonly journal: AuditJournal;
  readonly degraded: DegradedDocuments;
  readonly digests: DocumentDigests;
  readonly waiting: Waiting;
  readonly times: DriftTimes;
  readonly counters: DriftCounters;
  readonly report: (report: DriftReport) => void;
}

/** What a peer said of a document, and who it was. */
export interface Heard {
  readonly peer: StoreId;
  readonly theirs: HeardDigests;
}

interface OpenCase {
  readonly document: DocumentId;
  /** In the journal, of all entries of the case. */
  readonly correlationId: Uint8Array;
  readonly before: ContentDigests | undefined;
  state: DriftCase;
  heard: Heard | undefined;
  after: ContentDigests | undefined;
  isRunning: boolean;
  /** The end that was written down last: each is, once. */
  concluded?: DriftCase;
  stopWanting?: (() => void) | undefined;
  /** Somebody waits for a peer to say what it shows. */
  hear?: ((heard: Heard | "agreed") => void) | undefined;
  /** Somebody waits for records to come. */
  mend?: (() => void) | undefined;
}

/** Looks again after records came, but not after each of them. */
const mendRestMs = 300;
/** How long a document that was put together anew may take to be shown. */
const shownMsMax = 5_000;
const shownEveryMs = 50;

/** Carries cases of drift to their ends: does the steps, looks after each, and writes down what came of it. */
export class DriftCases {
  readonly #parts: DriftCasesParts;
  readonly #cases = new Map<DocumentId, OpenCase>();
  readonly #looking = new Set<DocumentId>();
  readonly #rechecking = new Set<DocumentId>();
  /** To be checked once more after the look, or the case, that goes on: what that saw may be too old. */
  readonly #suspectedAgain = new Set<DocumentId>();
  readonly #running = new Set<Promise<void>>();
  #peers: DriftPeers | undefined;

  constructor(parts: DriftCasesParts) {
    this.#parts = parts;
  }

  attach(peers: DriftPeers): void {
    this.#peers = peers;
  }

  get degraded(): readonly DocumentId[] {
    const given = [...this.#cases.values()].filter(({ state }) => state.name === "degraded");
    return given.map(({ document }) => document);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Looks now, and opens a case for what is found. */
  suspect(document: DocumentId, heard?: Heard): void {
    if (this.#cases.has(document) || this.#looking.has(document)) return;
    this.#looking.add(document);
    this.#start(async () => {
      try {
        const look = await lookAtDocument(this.#parts.tools, document, { theirs: heard?.theirs });
        if (look?.finding) this.found(document, look, heard);
      } finally {
        this.#looking.delete(document);
        this.#lookAgain(document);
      }
    });
  }

  /** A peer leaves something else out of the same log: is anything in it that has to be left out here? */
  recheck(document: DocumentId): void {
    if (this.#rechecking.has(document)) return;
    this.#rechecking.add(document);
    this.#start(async () => {
      const { tools } = this.#parts;
      const reading = tools.replica.access.reading(document, () => findToLeaveOut(tools, document));
      const left = await reading.finally(() => this.#rechecking.delete(document));
      if (left.length === 0) return;
      const open = this.#cases.get(document);
      if (open?.state.name === "degraded" && !open.isRunning) this.retry(document);
      else if (open || this.#looking.has(document)) this.#suspectedAgain.add(document);
      else this.suspect(document);
    });
  }

  #lookAgain(document: DocumentId): void {
    if (this.#cases.has(document) || !this.#suspectedAgain.delete(document)) return;
    if (!this.#parts.waiting.isStopped) this.recheck(document);
  }

  found(document: DocumentId, look: DriftLook, heard?: Heard): void {
    const { times, tools, counters, waiting, report } = this.#parts;
    const { finding } = look;
    if (!finding || this.#cases.has(document) || waiting.isStopped) return;
    if (this.#cases.size >= times.casesMax) {
      const fields = { document, cause: finding.cause };
      return tools.environment.logger.warn("drift.put_off", fields);
    }
    const open: OpenCase = {
      document,
      correlationId: tools.environment.random.bytes(8),
      before: look.shown ?? look.rebuilt,
      state: openDriftCase(finding, times),
      heard,
      after: undefined,
      isRunning: false,
    };
    this.#cases.set(document, open);
    countCause(counters.found, finding.cause);
    report({ document, stage: "found", ...finding, peer: heard?.peer, before: open.before });
    this.#run(open);
  }

  /** What a peer shows now. False when nobody waits to hear it. */
  heard(document: DocumentId, heard: Heard): boolean {
    const open = this.#cases.get(document);
    if (open === undefined) return false;
    const isNews = !open.heard || !isSame(open.heard.theirs, heard.theirs);
    open.heard = heard;
    open.hear?.(heard);
    // A peer that shows something else than when it was given up may be right now.
    if (isNews && open.state.name === "degraded" && !open.isRunning) this.retry(document);
    return true;
  }

  agreed(document: DocumentId, peer: StoreId): void {
    const open = this.#cases.get(document);
    if (open === undefined || (open.heard && open.heard.peer !== peer)) return;
    open.hear?.("agreed");
    if (open.isRunning) return;
    this.#say(open, { name: "looked", finding: undefined, nowMs: this.#nowMs });
    this.#run(open);
  }

  /** Records of it came back. */
  mended(document: DocumentId): void {
    const open = this.#cases.get(document);
    if (open === undefined) return;
    open.mend?.();
    if (!open.isRunning) this.#run(open, true);
  }

  /** One more round for a document that was given up. False where there is no case. */
  retry(document: DocumentId): boolean {
    const open = this.#cases.get(document);
    if (open === undefined) return false;
    this.#say(open, { name: "retried" });
    this.#run(open);
    return true;
  }

  get #nowMs(): number {
    return this.#parts.tools.environment.clock.monotonicMs();
  }

  #say(open: OpenCase, event: DriftEvent): void {
    open.state = nextDriftCase(open.state, event, this.#parts.times);
  }

  #start(work: () => Promise<void>): void {
    const running = work().catch((error: unknown) => {
      if (!isHeddleError(error)) throw error;
      const { logger } = this.#parts.tools.environment;
      logger.warn("drift.failed", { code: error.code, error: error.message });
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** @param looksFirst something has changed since the case came to rest, or was given up. */
  #run(open: OpenCase, looksFirst = false): void {
    if (open.isRunning || this.#parts.waiting.isStopped) return;
    open.isRunning = true;
    this.#start(async () => {
      try {
        if (looksFirst) await this.#lookAfterMend(open);
        await this.#goOn(open);
      } finally {
        open.isRunning = false;
      }
    });
  }

  async #lookAfterMend(open: OpenCase): Promise<void> {
    await this.#parts.waiting.sleep(mendRestMs);
    const finding = await this.#look(open);
    if (finding) this.#peers?.reload(open.document);
    this.#say(open, { name: "looked", finding, nowMs: this.#nowMs });
  }

  async #goOn(open: OpenCase): Promise<void> {
    const { waiting } = this.#parts;
    while (!waiting.isStopped) {
      const { state } = open;
      if (state.name === "repairing") {
        await this.#try(open, state.step);
        this.#say(open, { name: "stepped" });
      } else if (state.name === "verifying") {
        const finding = await this.#look(open);
        this.#say(open, { name: "looked", finding, nowMs: this.#nowMs });
      } else if (state.name === "resting") {
        await waiting.sleep(state.dueMs - this.#nowMs);
        this.#say(open, { name: "woke", nowMs: this.#nowMs });
      } else return this.#conclude(open);
    }
  }

  /** A step that fails has been tried all the same: the look that follows says what came of it. */
  async #try(open: OpenCase, step: DriftStep): Promise<void> {
    try {
      await this.#step(open, step);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      const { logger } = this.#parts.tools.environment;
      const { document } = open;
      logger.warn("drift.step_failed", { document, step, code: error.code, error: error.message });
    }
    this.#parts.digests.forget(open.document);
  }

  async #step(open: OpenCase, step: DriftStep): Promise<void> {
    const { tools, mending, waiting, times } = this.#parts;
    const { document, correlationId } = open;
    if (step === "waited") return waiting.sleep(times.waitMs);
    if (step === "reloaded") return this.#reload(open);
    if (step === "refetched") return this.#refetch(open);
    if (step === "exchanged") {
      await leaveOut({ ...tools, journal: this.#parts.journal }, document, correlationId);
      // The others find the same by themselves, sooner when they hear that something is left out.
      return this.#peers?.compare(document);
    }
    const look = await lookAtDocument(tools, document);
    if (look) await mendHere(mending, look, correlationId);
  }

  /** Everybody who shows it opens it again, from the disk. */
  async #reload({ document }: OpenCase): Promise<void> {
    const { tools, waiting } = this.#parts;
    const loaded = tools.replica.loaded(document);
    if (loaded === undefined) return;
    // A store that fails meanwhile settles nothing any more: then there is nothing to put together either.
    await Promise.race([loaded.whenSettled(), waiting.sleep(shownMsMax)]);
    const untilMs = this.#nowMs + shownMsMax;
    tools.replica.reopen(document, "what was shown is not what the log adds up to; open it again");
    // What is shown next is what is looked at.
    while (this.#nowMs < untilMs && !waiting.isStopped) {
      await waiting.sleep(shownEveryMs);
      if ((tools.replica.loaded(document)?.shown(false).length ?? 0) > 0) return;
    }
  }

  /** Peers see of it what is whole, and bring the rest; until it comes, or nobody has brought it in time. */
  async #refetch(open: OpenCase): Promise<void> {
    const { degraded, tools, waiting, times } = this.#parts;
    const { document, correlationId } = open;
    const survey = await tools.store.surveyDocument(document);
    if (!this.#peers || survey?.entry === undefined) return;
    if (!degraded.has(document)) {
      degraded.begin(document, correlationId);
      open.stopWanting = this.#peers.want(survey.entry);
      this.#peers.reload(document);
    }
    const untilMs = this.#nowMs + times.refetchMs;
    while (this.#nowMs < untilMs && !waiting.isStopped) {
      const { promise, answer } = waiting.answered<true>(untilMs - this.#nowMs);
      open.mend = () => answer(true);
      const hasCome = await promise;
      open.mend = undefined;
      if (!hasCome) return;
      await waiting.sleep(mendRestMs);
      const look = await lookAtDocument(tools, document, { isShallow: true });
      if (look?.finding === undefined) return;
      // What lay behind the hole counts again: others may lack just that.
      this.#peers.reload(document);
    }
  }

  /** What is wrong with it now, here and, where a peer said so, there. */
  async #look(open: OpenCase): Promise<DriftFinding | undefined> {
    const { tools } = this.#parts;
    const { document } = open;
    const here = await lookAtDocument(tools, document);
    open.after = here?.shown ?? here?.rebuilt;
    if (here?.finding || open.heard === undefined || !this.#peers) return here?.finding;
    const heard = await this.#compare(open);
    if (heard === "agreed") return undefined;
    // Nobody answers: what was found is as true as it was.
    if (heard === undefined) return open.state.finding;
    const look = await lookAtDocument(tools, document, { theirs: heard.theirs });
    return look?.finding;
  }

  async #compare(open: OpenCase): Promise<Heard | "agreed" | undefined> {
    const { waiting, times } = this.#parts;
    const { promise, answer } = waiting.answered<Heard | "agreed">(times.compareMs);
    open.hear = answer;
    this.#peers?.compare(open.document);
    const heard = await promise;
    open.hear = undefined;
    return heard;
  }

  async #conclude(open: OpenCase): Promise<void> {
    const { journal, degraded, counters, report } = this.#parts;
    const { document, state, before, after, heard, correlationId } = open;
    const outcome = outcomeOf(state);
    if (outcome === undefined || open.concluded === state) return;
    open.concluded = state;
    const isRepaired = state.name === "repaired";
    const { cause, side, why } = isRepaired ? state.first : state.finding;
    countCause(isRepaired ? counters.repaired : counters.failed, cause);
    if (isRepaired) {
      this.#cases.delete(document);
      open.stopWanting?.();
      if (degraded.has(document)) {
        degraded.end(document);
        this.#peers?.reload(document);
      }
    }
    const note: AuditNote = {
      subject: { of: "document", document, ...(heard && { peer: heard.peer }) },
      cause,
      ...outcome,
      before: valueOf(before),
      after: valueOf(after),
      against: valueOf(heard?.theirs),
      correlationId,
      detail: `${side}: ${why}`,
    };
    await journal.write(note);
    const stage = isRepaired ? "repaired" : "degraded";
    const digests = { before, after };
    report({ document, stage, cause, side, why, ...outcome, peer: heard?.peer, ...digests });
    this.#lookAgain(document);
  }
}

function isSame(a: ContentDigests, b: ContentDigests): boolean {
  const isContent = a.content && b.content ? equalBytes(a.content, b.content) : true;
  return a.engine === b.engine && equalBytes(a.state, b.state) && isContent;
}

function valueOf(digests: ContentDigests | undefined): AuditValue | undefined {
  if (digests === undefined) return undefined;
  return { digest: digests.content ?? digests.state, size: 0, bytes: new Uint8Array() };
}
