import {
  toHex,
  type Envelope,
  type Environment,
  type LogStore,
  type RecalledEnvelope,
} from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import type { ApplyJudge, Verdict } from "./apply-judge.ts";
import { auditBudgetMs, findCulprits, type LoggedUpdate, type Selection } from "./find-culprits.ts";
import { LogReading } from "./load-document.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { walkLog } from "./walk-log.ts";

export interface AuditorOptions {
  readonly judge: ApplyJudge;
  readonly store: LogStore;
  readonly environment: Environment;
  readonly counters: ReplicaCounters;
  /** How long a document is left alone after it asked for an audit. */
  readonly delayMs: number;
  /** Makes the recalls durable and has the document opened anew. */
  readonly recall: (
    document: ReplicaDocument,
    recalls: readonly RecalledEnvelope[],
  ) => Promise<void>;
}

/**
 * Looks at what many untried updates add up to: after so many of them a document is applied in a
 * worker, and what makes it fail or crawl is recalled by hash (DOC-9). One document at a time, with
 * nobody waiting for it.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #due = new Set<ReplicaDocument>();
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: AuditorOptions) {
    this.#options = options;
  }

  readonly request = (document: ReplicaDocument): void => {
    if (this.#isStopped) return;
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
      if (document.tail.isDue) this.request(document);
    }
    if (!("reason" in verdict)) return;
    const { environment, judge } = this.#options;
    const { logger } = environment;
    const fields = { document: document.entry.id };
    logger.warn("audit.document_fails", { ...fields, reason: verdict.reason });
    const envelopes = await this.#readLog(document);
    const { culprits, isSound } = await findCulprits(judge, selectionOf(envelopes));
    if (!isSound) logger.error("audit.unresolved", { ...fields, culprits: culprits.size });
    if (culprits.size === 0) return;
    const atMs = environment.clock.nowMs();
    const recalls = envelopes.flatMap(({ id, lane, seq }): RecalledEnvelope[] => {
      const reason = culprits.get(toHex(id));
      return reason === undefined
        ? []
        : [{ id: toHex(id), lane, seq, reason, validatorVersion, atMs }];
    });
    for (const { id, reason } of recalls) {
      logger.warn("envelope.recalled", { ...fields, envelope: id, reason });
    }
    this.#options.counters.recalled += recalls.length;
    await this.#options.recall(document, recalls);
  }

  /** The new part on top of what the last audit left in the worker, or the whole. */
  async #tryTail(document: ReplicaDocument): Promise<Verdict> {
    const { judge } = this.#options;
    const { isWhole, payloads } = document.tail.take();
    const key = document.entry.id;
    if (payloads !== undefined) {
      const base = isWhole ? { base: [] } : {};
      const budgetMs = auditBudgetMs(payloads, isWhole);
      const trial = { urgency: "idle", key, steps: payloads, budgetMs, ...base } as const;
      const verdict = await judge.judge(trial);
      // Encoding and loading count against a budget that was cut for the new part alone: a large and
      // honest document may exceed it, so the whole is tried at its own budget before anybody is blamed.
      const isUnsure = "reason" in verdict && verdict.step === undefined;
      if (verdict.outcome !== "unknown-base" && !isUnsure) return verdict;
    }
    const state = document.encodeSince();
    const budgetMs = auditBudgetMs([state], true);
    return judge.judge({ urgency: "idle", key, base: [], steps: [state], budgetMs });
  }

  /** The log without what was recalled before. */
  async #readLog(document: ReplicaDocument): Promise<Envelope[]> {
    const { store, environment } = this.#options;
    const stored = await store.readDocument(document.entry.id);
    if (stored === undefined) return [];
    const recalled = new Set((await store.readRecalls(stored.id)).map(({ id }) => id));
    const envelopes: Envelope[] = [];
    const walk = { store, hash: environment.hash, document: stored, positions: new Map() };
    for await (const envelope of walkLog(walk)) {
      if (!recalled.has(toHex(envelope.id))) envelopes.push(envelope);
    }
    return envelopes;
  }
}

function selectionOf(envelopes: readonly Envelope[]): Selection {
  return (recalled) => {
    // One that recalls nothing would expect no gaps; earlier recalls may have left some.
    const reading = new LogReading(recalled.size > 0 ? recalled : new Set([""]));
    const updates: LoggedUpdate[] = [];
    for (const envelope of envelopes) {
      const part = reading.add(envelope);
      if (part) updates.push({ id: toHex(envelope.id), payload: part.bytes });
    }
    return updates;
  };
}
