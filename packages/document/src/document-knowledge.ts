import { assert } from "@heddle/core/base";

import { DeleteSet } from "./delete-set.ts";
import type { KnownClocks } from "./known-clocks.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { encodeStateVector } from "./state-vector.ts";

/**
 * What a document's log holds, envelopes in flight included, without a Yjs document: for each client
 * the clock below which every struct is there, and the deletes that were written down. Deletes that
 * Yjs derives while integrating (map losers, children of the deleted) are not known here.
 */
export class DocumentKnowledge implements KnownClocks {
  readonly #clocks = new Map<number, number>();
  readonly deletes = new DeleteSet();

  clockOf(client: number): number {
    return this.#clocks.get(client) ?? 0;
  }

  get clientCount(): number {
    return this.#clocks.size;
  }

  get clocks(): ReadonlyMap<number, number> {
    return this.#clocks;
  }

  /** Takes in an update that was admitted: each run begins where the knowledge ends, or below. */
  learn(admitted: ParsedUpdate): void {
    for (const run of admitted.runs) {
      const clock = this.clockOf(run.client);
      assert(run.clock <= clock, "learned structs leave no gap");
      if (run.endClock > clock) this.#clocks.set(run.client, run.endClock);
    }
    for (const deletes of admitted.deletes) {
      const { client, ranges } = deletes;
      assert(ranges[ranges.length - 1]! <= this.clockOf(client), "learned deletes are not ahead");
      this.deletes.add(deletes);
    }
  }

  encodeStateVector(): Uint8Array {
    return encodeStateVector(this.#clocks);
  }
}
