import { isHeddleError, type DocumentId, type StoreId } from "@heddle/core";
import {
  classifyDrift,
  nextDriftCase,
  openDriftCase,
  outcomeOf,
  type DriftEvent,
  type DriftFinding,
  type DriftStep,
} from "@heddle/reconcile";

import type { AuditJournal } from "./audit-journal.ts";
import { CaseSteps, mendRestMs } from "./case-steps.ts";
import type { DegradedDocuments } from "./degraded-documents.ts";
import type { DocumentDigests } from "./document-digests.ts";
import type { DriftPeers, DriftTimes } from "./drift-options.ts";
import { countCause, type DriftCounters, type DriftReport } from "./drift-report.ts";
import { findToLeaveOut } from "./leave-out.ts";
import { lookAtDocument, type DriftLook, type LookTools } from "./look-at-document.ts";
import type { MendingHere } from "./mend-here.ts";
import { isSame, noteOf, type Heard, type OpenCase, type Suspicion } from "./open-case.ts";
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

/** What a look found, and the digests that it saw. */
export interface Found extends Partial<Pick<DriftLook, "shown" | "rebuilt">> {
  readonly finding: DriftFinding;
}

/** Carries cases of drift to their ends: does the steps, looks after each, and writes down what came of it. */
export class DriftCases {
  readonly #parts: DriftCasesParts;
  readonly #steps: CaseSteps;
  /** In the order in which they were found. */
  readonly #cases = new Map<DocumentId, OpenCase>();
  /** Looked at, or waiting for it. */
  readonly #looking = new Set<DocumentId>();
  readonly #rechecking = new Set<DocumentId>();
  /** To be checked once more after the look, or the case, that goes on: what that saw may be too old. */
  readonly #suspectedAgain = new Set<DocumentId>();
  readonly #running = new Set<Promise<void>>();
  #peers: DriftPeers | undefined;

  constructor(parts: DriftCasesParts) {
    this.#parts = parts;
    this.#steps = new CaseSteps(parts, () => this.#peers);
  }

  attach(peers: DriftPeers): void {
    this.#peers = peers;
  }

  get degraded(): readonly DocumentId[] {
    const given = [...this.#cases.values()].filter(({ state }) => state.name === "degraded");
    return given.map(({ document }) => document);
  }

  has(document: DocumentId): boolean {
    return this.#cases.has(document);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Looks when its turn comes, and opens a case for what is found. */
  suspect(document: DocumentId, suspicion: Suspicion = {}): void {
    if (this.#cases.has(document) || this.#looking.has(document)) return;
    const { counters, times, tools } = this.#parts;
    if (this.#looking.size >= times.looksMax) return void counters.putOff++;
    this.#looking.add(document);
    this.#start(async () => {
      try {
        const look = await lookAtDocument(tools, document, { theirs: suspicion.heard?.theirs });
        const finding = look?.finding ?? this.#lagOf(document, suspicion.lagging);
        if (finding) this.found(document, { ...look, finding }, suspicion);
      } finally {
        this.#looking.delete(document);
        this.#lookAgain(document);
      }
    });
  }

  /**
   * A peer leaves something else out of the same log: is anything in it that has to be left out here?
   * `otherwise` is called where nothing is.
   */
  recheck(document: DocumentId, otherwise: () => void = () => {}): void {
    if (this.#rechecking.has(document)) return;
    this.#rechecking.add(document);
    this.#start(async () => {
      const { tools } = this.#parts;
      const find = () => findToLeaveOut(tools, document);
      const reading = tools.turns.run(() => tools.replica.access.reading(document, find));
      const left = await reading.finally(() => this.#rechecking.delete(document));
      if (left.length === 0) return otherwise();
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

  /** Opens a case, where there is room for one more. */
  found(document: DocumentId, look: Found, { heard, lagging }: Suspicion = {}): void {
    const { times, tools, counters, waiting, report } = this.#parts;
    const { finding } = look;
    if (this.#cases.has(document) || waiting.isStopped) return;
    if (this.#cases.size >= times.casesMax && !this.#makeRoom(finding)) {
      counters.putOff++;
      const fields = { document, cause: finding.cause };
      return tools.environment.logger.warn("drift.put_off", fields);
    }
    const open: OpenCase = {
      document,
      correlationId: tools.environment.random.bytes(8),
      before: look.shown ?? look.rebuilt,
      lagging,
      state: openDriftCase(finding, times),
      heard,
      after: undefined,
      isRunning: false,
      isAudited: false,
    };
    this.#cases.set(document, open);
    countCause(counters.found, finding.cause);
    const peer = heard?.peer ?? lagging;
    report({ document, stage: "found", ...finding, peer, before: open.before });
    this.#run(open);
  }

  /** Both histories of a lane are kept and neither is chosen, which is for a person: said, and written down. */
  forked(document: DocumentId, why: string): void {
    const { tools, counters, journal, report } = this.#parts;
    const correlationId = tools.environment.random.bytes(8);
    const finding = { cause: "fork", side: "both", why } as const;
    const outcome = { action: "exchanged", result: "reported" } as const;
    countCause(counters.found, "fork");
    countCause(counters.failed, "fork");
    report({ document, stage: "found", ...finding });
    this.#start(async () => {
      // As it is here; over there it is another one from now on.
      const look = await lookAtDocument(tools, document).catch((error: unknown) => {
        if (!isHeddleError(error)) throw error;
        return undefined; // It is said all the same.
      });
      const before = look?.shown ?? look?.rebuilt;
      const of = { document, correlationId, before, after: before };
      await journal.write(noteOf(of, { ...outcome, cause: "fork", detail: `both: ${why}` }));
      report({ document, stage: "degraded", ...finding, ...outcome, before, after: before });
    });
  }

  /** What is wrong here does not wait for what was given up because of somebody over there. */
  #makeRoom({ side }: DriftFinding): boolean {
    if (side !== "here") return false;
    for (const [document, { state, lagging, isRunning }] of this.#cases) {
      const isGivenUp = state.name === "degraded" && !isRunning;
      if (isGivenUp && (lagging || state.finding.side !== "here")) {
        return this.#cases.delete(document);
      }
    }
    return false;
  }

  /** What a peer shows now, told to whoever waits to hear it. False when nobody does. */
  answered(document: DocumentId, heard: Heard): boolean {
    const open = this.#cases.get(document);
    if (open?.hear === undefined) return false;
    open.heard = heard;
    open.hear(heard);
    return true;
  }

  /** As {@link answered}, where nobody asked. False when there is no case. */
  heard(document: DocumentId, heard: Heard): boolean {
    const open = this.#cases.get(document);
    if (open === undefined) return false;
    const isNews = !open.heard || !isSame(open.heard.theirs, heard.theirs);
    open.heard = heard;
    // A peer that shows something else than when it was given up may be right now.
    if (isNews && open.state.name === "degraded" && !open.isRunning) this.#retry(open);
    return true;
  }

  /** A peer shows the same. That says nothing of what was found wrong without it. */
  agreed(document: DocumentId, peer: StoreId): void {
    const open = this.#cases.get(document);
    if (open?.heard?.peer !== peer) return;
    if (open.hear) return open.hear("agreed");
    this.#run(open, () => this.#lookOnce(open));
  }

  /** Nothing is missing on either side any more, with some peer. */
  caughtUp(document: DocumentId): void {
    const open = this.#cases.get(document);
    if (!open?.lagging && open?.state.finding.cause !== "missing-dependency") return;
    this.#run(open, async () => {
      // Said at each change: not each is worth a look of its own.
      await this.#parts.waiting.sleep(this.#parts.times.restMsMin);
      await this.#lookOnce(open);
    });
  }

  /** Records of it came back. */
  mended(document: DocumentId): void {
    const open = this.#cases.get(document);
    if (open === undefined) return;
    open.mend?.();
    this.#run(open, async () => {
      await this.#parts.waiting.sleep(mendRestMs);
      if (await this.#lookOnce(open)) this.#peers?.reload(document);
    });
  }

  /** One more round for a document that was given up, for an audit. False where there is no case. */
  retry(document: DocumentId): boolean {
    const open = this.#cases.get(document);
    if (open === undefined) return false;
    const isGone = open.lagging && !this.#peers?.standing(document, open.lagging);
    if (isGone && open.state.name === "degraded" && !open.isRunning) {
      // Nobody can tell any more. Where it comes back and is still ahead, or behind, that is another case.
      this.#end(open);
      return false;
    }
    open.isAudited = true;
    this.#retry(open);
    return true;
  }

  #retry(open: OpenCase): void {
    this.#say(open, { name: "retried" });
    this.#run(open);
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

  /** @param first what has changed since the case came to rest, or was given up, is looked at before. */
  #run(open: OpenCase, first?: () => Promise<unknown>): void {
    if (open.isRunning || this.#parts.waiting.isStopped) return;
    open.isRunning = true;
    this.#start(async () => {
      try {
        await first?.();
        await this.#goOn(open);
      } finally {
        open.isRunning = false;
      }
    });
  }

  async #goOn(open: OpenCase): Promise<void> {
    const { waiting } = this.#parts;
    while (!waiting.isStopped) {
      const { state } = open;
      if (state.name === "repairing") {
        await this.#try(open, state.step);
        this.#say(open, { name: "stepped" });
      } else if (state.name === "verifying") await this.#lookOnce(open);
      else if (state.name === "resting") {
        await waiting.sleep(state.dueMs - this.#nowMs);
        this.#say(open, { name: "woke", nowMs: this.#nowMs });
      } else return this.#conclude(open);
    }
  }

  /** A step that fails has been tried all the same: the look that follows says what came of it. */
  async #try(open: OpenCase, step: DriftStep): Promise<void> {
    try {
      await this.#steps.do(open, step);
    } catch (error) {
      this.#failed(open, step, error);
    }
    this.#parts.digests.forget(open.document);
  }

  #failed({ document }: OpenCase, step: DriftStep | "looked", error: unknown): void {
    if (!isHeddleError(error)) throw error;
    const { logger } = this.#parts.tools.environment;
    logger.warn("drift.step_failed", { document, step, code: error.code, error: error.message });
  }

  async #lookOnce(open: OpenCase): Promise<DriftFinding | undefined> {
    const finding = await this.#look(open).catch((error: unknown) => {
      this.#failed(open, "looked", error);
      // Nobody could look: what was found is as true as it was.
      return open.state.finding;
    });
    this.#say(open, { name: "looked", finding, nowMs: this.#nowMs });
    return finding;
  }

  /** What is wrong with it now, here and, where a peer said so, there. */
  async #look(open: OpenCase): Promise<DriftFinding | undefined> {
    const { tools } = this.#parts;
    const { document } = open;
    // As long as something is lacking nothing need be put together.
    const lag = this.#lagOf(document, open.lagging);
    if (lag) return lag;
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

  /** Whether a side still lacks what the other has; one that is not there any more lacks what it did. */
  #lagOf(document: DocumentId, peer: StoreId | undefined): DriftFinding | undefined {
    if (peer === undefined) return undefined;
    const standing = this.#peers?.standing(document, peer);
    if (standing === undefined) return this.#cases.get(document)?.state.finding;
    return classifyDrift({ ...standing, lacksDependency: false, damages: 0, forks: 0 });
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
    const { journal, counters, report } = this.#parts;
    const { document, state, before, after, heard, lagging } = open;
    const outcome = outcomeOf(state);
    if (outcome === undefined || open.concluded === state) return;
    open.concluded = state;
    const isRepaired = state.name === "repaired";
    const { cause, side, why } = isRepaired ? state.first : state.finding;
    countCause(isRepaired ? counters.repaired : counters.failed, cause);
    // There is nothing to try again either.
    if (isRepaired || outcome.result === "reported") this.#end(open);
    const said = `${state.name} ${cause} ${side} ${outcome.action} ${outcome.result}`;
    if (said !== open.said || open.isAudited) {
      open.said = said;
      await journal.write(noteOf(open, { ...outcome, cause, detail: `${side}: ${why}` }));
      const stage = isRepaired ? "repaired" : "degraded";
      const peer = heard?.peer ?? lagging;
      report({ document, stage, cause, side, why, ...outcome, peer, before, after });
    }
    open.isAudited = false;
    this.#lookAgain(document);
  }

  #end({ document, stopWanting }: OpenCase): void {
    const { degraded } = this.#parts;
    this.#cases.delete(document);
    stopWanting?.();
    if (!degraded.has(document)) return;
    degraded.end(document);
    this.#peers?.reload(document);
  }
}
