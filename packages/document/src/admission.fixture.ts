import { admitUpdate } from "./admit-update.ts";
import { DocumentKnowledge } from "./document-knowledge.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { parseUpdate } from "./parse-update.ts";
import { WorkBudget } from "./waiting-part.ts";
import { WaitingUpdates } from "./waiting-updates.ts";

export interface AdmittingLogOptions {
  /** How much is looked at in one go; tests take little, so that everything is interrupted. */
  readonly budget?: number;
  /** Asked for each part that is freed: false puts it back, and it is freed again later. */
  readonly keeps?: () => boolean;
}

/** A log that admits, parks and releases, as a replica does. */
export class AdmittingLog {
  readonly knowledge = new DocumentKnowledge();
  readonly waiting = new WaitingUpdates();
  readonly admitted: ParsedUpdate[] = [];
  readonly #options: AdmittingLogOptions;
  readonly #parked = new Map<string, Uint8Array>();
  #updates = 0;

  constructor(options: AdmittingLogOptions = {}) {
    this.#options = options;
  }

  get parked(): Uint8Array[] {
    return [...this.#parked.values()];
  }

  receive(bytes: Uint8Array): void {
    const { admitted, parked } = admitUpdate(this.knowledge, parseUpdate(bytes));
    if (parked !== undefined) {
      const id = String(this.#updates++);
      this.#parked.set(id, parked);
      this.waiting.add(id, parseUpdate(parked));
    }
    if (admitted !== undefined) this.#learn(admitted);
    while (this.waiting.hasWork) this.#review(new WorkBudget(this.#options.budget ?? 1_000));
  }

  #review(budget: WorkBudget): void {
    const { keeps = () => true } = this.#options;
    for (;;) {
      const freed = this.waiting.next(this.knowledge, budget);
      if (freed === undefined) return;
      if (freed.update === undefined) this.#parked.delete(freed.id);
      else if (!keeps()) this.waiting.putBack(freed.id);
      else {
        this.#learn(freed.update);
        if (this.waiting.keep(freed.id)) this.#parked.delete(freed.id);
      }
    }
  }

  #learn(admitted: ParsedUpdate): void {
    this.knowledge.learn(admitted);
    this.waiting.advance(admitted);
    this.admitted.push(admitted);
  }
}
