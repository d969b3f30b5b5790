import type { DocumentId, Environment } from "@heddle/core";

import type { ReplicaDocument } from "./replica-document.ts";

interface Suspension {
  /** Not audited again before; each time the wait is twice as long. */
  untilMs: number;
  waitMs: number;
}

const waitMs = { first: 60_000, max: 60 * 60_000 } as const;

/**
 * Documents that are too dear for this machine while nobody is to blame for it beyond doubt. Nothing
 * is refused and nothing is taken away; they are looked at again, ever more seldom.
 */
export class Suspensions {
  readonly #environment: Environment;
  readonly #suspended = new Map<DocumentId, Suspension>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get count(): number {
    return this.#suspended.size;
  }

  mayAudit({ entry }: ReplicaDocument): boolean {
    const { untilMs } = this.#suspended.get(entry.id) ?? { untilMs: 0 };
    return this.#environment.clock.monotonicMs() >= untilMs;
  }

  begin({ entry }: ReplicaDocument, reason: string): void {
    const { clock, logger } = this.#environment;
    const before = this.#suspended.get(entry.id);
    const wait = before ? Math.min(before.waitMs * 2, waitMs.max) : waitMs.first;
    this.#suspended.set(entry.id, { untilMs: clock.monotonicMs() + wait, waitMs: wait });
    logger.error("document.suspended", { document: entry.id, reason });
  }

  end({ entry }: ReplicaDocument): void {
    if (!this.#suspended.delete(entry.id)) return;
    this.#environment.logger.info("document.unsuspended", { document: entry.id });
  }
}
