import { admitUpdate } from "./admit-update.ts";
import { DocumentKnowledge } from "./document-knowledge.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { parseUpdate } from "./parse-update.ts";

/** A log that admits, parks and releases, as a replica does. */
export class AdmittingLog {
  readonly knowledge = new DocumentKnowledge();
  readonly admitted: ParsedUpdate[] = [];
  parked: Uint8Array[] = [];

  receive(bytes: Uint8Array): void {
    this.#admit(bytes);
    for (let released = true; released;) {
      released = false;
      const waiting = this.parked;
      this.parked = [];
      for (const update of waiting) if (this.#admit(update)) released = true;
    }
  }

  #admit(bytes: Uint8Array): boolean {
    const { admitted, parked } = admitUpdate(this.knowledge, parseUpdate(bytes));
    if (parked !== undefined) this.parked.push(parked);
    if (admitted === undefined) return false;
    this.knowledge.learn(admitted);
    this.admitted.push(admitted);
    return true;
  }
}
