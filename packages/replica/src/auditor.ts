import type { Environment, LogStore, RecalledEnvelope } from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import type { ApplyJudge, Verdict } from "./apply-judge.ts";
import { auditBudgetMs, type AuditBudget } from "./audit-budget.ts";
import type { DocumentAccess } from "./document-access.ts";
import { traceFieldsOf } from "./edit-trace.ts";
import { findCulprits, type Findings } from "./find-culprits.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { sendLog, type EnvelopePlace } from "./send-log.ts";
import { Suspensions } from "./suspensions.ts";

export interface AuditorOptions {
  readonly judge: ApplyJudge;
  readonly store: LogStore;
  readonly environment: Environment;
  readonly counters: ReplicaCounters;
  readonly access: DocumentAccess;
  /** How long a document is left alone after it asked for an audit. */
  readonly delayMs: number;
  readonly budget: AuditBudget;
  /** Makes the recalls durable and has the document opened anew. */
  readonly recall: (
    document: ReplicaDocument,
    recalls: readonly RecalledEnvelope[],
  ) => Promise<void>;
}

/**
 * Looks at what many untried updates add up to: after so many of them a document is applied in a
 * worker, and what makes it fail or crawl is recalled by hash (DOC-9). When nobody is to blame beyond
 * doubt the document is suspended instead: nothing of it is taken away. One document at a time, with
 * nobody waiting for it, and nothing of the work in this thread.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #due = new Set<ReplicaDocument>();
  readonly #suspensions: Suspensions;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#suspensions = new Suspensions(options.environment);
  }

  /** Documents that fail and for which nobody can be blamed: they are served as they are. */
  get suspended(): number {
    return this.#suspensions.count;
  }

  readonly request = (document: ReplicaDocument): void => {
    if (this.#isStopped || !this.#suspensions.mayAudit(document)) return;
    this.#due.add(document);
    const { environment, delayMs } = this.#options;
    if (this.#running) return;
    this.#cancel ??= environment.scheduler.after(delayMs, () => {
      this.#cancel = undefined;
      this.#running = this.#run();
    });
  };

  /** Resolves when no audit is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  stop(): void {
    this.#isStopped = true;
    this.#due.clear();
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    for (const document of this.#due) {
      this.#due.delete(document);
      try {
        await this.#audit(document);
      } catch (error) {
        // The store failed or the document is damaged: those who use it are told, and nothing is lost.
        const fields = { document: document.entry.id, error: String(error) };
        this.#options.environment.logger.warn("audit.failed", fields);
      }
      if (this.#isStopped) break;
    }
    this.#running = undefined;
  }

  async #audit(document: ReplicaDocument): Promise<void> {
    this.#options.counters.audits++;
    const verdict = await this.#tryTail(document);
    if (verdict.outcome === "ok") {
      document.tail.sound(verdict.depth);
      this.#suspensions.end(document);
      if (document.tail.isDue) this.request(document);
    }
    if (!("reason" in verdict)) return;
    const { logger } = this.#options.environment;
    const fields = { document: document.entry.id };
    logger.warn("audit.document_fails", { ...fields, reason: verdict.reason });
    const { findings, envelopes } = await this.#search(document);
    if (findings.outcome === "sound") this.#suspensions.end(document);
    if (findings.outcome === "unclear") this.#suspensions.begin(document, findings.reason);
    if (findings.outcome !== "blamed") return;
    const atMs = this.#options.environment.clock.nowMs();
    const recalls = [...findings.culprits].flatMap(([place, reason]): RecalledEnvelope[] => {
      const envelope = envelopes[place];
      return envelope ? [{ ...envelope, reason, validatorVersion, atMs }] : [];
    });
    if (recalls.length === 0) {
      this.#suspensions.begin(document, "the state of its checkpoint fails");
      return;
    }
    for (const { id, reason, correlationId, editReason } of recalls) {
      const said = traceFieldsOf({ correlationId, reason: editReason });
      // Who gave an edit a name follows it: that it was taken out is no detail then.
      const level = correlationId ? "warn" : "debug";
      logger[level]("envelope.recalled", { ...fields, envelope: id, reason, ...said });
    }
    const [{ reason } = { reason: "" }] = recalls;
    logger.warn("document.recalled", { ...fields, envelopes: recalls.length, reason });
    this.#options.counters.recalled += recalls.length;
    this.#suspensions.end(document);
    await this.#options.recall(document, recalls);
  }

  async #search(document: ReplicaDocument): Promise<{
    readonly findings: Findings;
    readonly envelopes: readonly (EnvelopePlace | undefined)[];
  }> {
    const { judge, store, environment, budget, access } = this.#options;
    const { id } = document.entry;
    const trials = judge.openLog?.(budget);
    if (trials === undefined) {
      const reason = "there is nobody to try the log without parts of it";
      return { findings: { outcome: "unclear", reason }, envelopes: [] };
    }
    try {
      const sending = { store, environment, document: id, trials };
      const envelopes = await access.reading(id, () => sendLog(sending));
      return { findings: await findCulprits(trials), envelopes };
    } finally {
      await trials.close();
    }
  }

  /** The new part on top of what the last audit left in the worker, or the whole. */
  async #tryTail(document: ReplicaDocument): Promise<Verdict> {
    const { judge, budget } = this.#options;
    const { isWhole, payloads } = document.tail.take();
    const key = document.entry.id;
    if (payloads !== undefined) {
      const base = isWhole ? { base: [] } : {};
      const budgetMs = auditBudgetMs(budget, payloads, isWhole);
      const trial = { urgency: "idle", key, steps: payloads, budgetMs, ...base } as const;
      const verdict = await judge.judge(trial);
      // Encoding and loading count against a budget that was cut for the new part alone: a large and
      // honest document may exceed it, so the whole is tried at its own budget before anybody is blamed.
      const isUnsure = "reason" in verdict && verdict.step === undefined;
      if (verdict.outcome !== "unknown-base" && !isUnsure) return verdict;
    }
    const state = document.encodeSince();
    const budgetMs = auditBudgetMs(budget, [state], true);
    return judge.judge({ urgency: "idle", key, base: [], steps: [state], budgetMs });
  }
}
