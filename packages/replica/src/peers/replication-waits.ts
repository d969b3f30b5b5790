import { HeddleError, HeddleErrorCode, type DocumentId, type LaneId } from "@heddle/core";
import type { Replication } from "@heddle/sync";

import { waitUntil, type WaitOptions } from "../wait-until.ts";

/** How many other stores must have something, or that a relay must. */
export type Copies = number | "relay";

interface Wait {
  readonly document: DocumentId;
  readonly copies: Copies;
  /** The last seq of each own lane when the wait began. */
  readonly tops: ReadonlyMap<LaneId, number>;
  readonly resolve: () => void;
  readonly reject: (error: HeddleError) => void;
}

/** Who waits until what was written is on the disks of others. Waits outlast connections and failures. */
export class ReplicationWaits {
  readonly #waits = new Set<Wait>();

  get documents(): ReadonlySet<DocumentId> {
    return new Set([...this.#waits].map(({ document }) => document));
  }

  /** Somebody waits for others to have the document. */
  has(document: DocumentId): boolean {
    return [...this.#waits].some((wait) => wait.document === document);
  }

  /** Resolves when everything of ours in the document, as of now, has so many copies elsewhere. */
  add(
    machine: Replication,
    document: DocumentId,
    copies: Copies,
    options?: WaitOptions,
  ): Promise<void> {
    const tops = machine.ownTops(document);
    return waitUntil((resolve, reject) => {
      const wait = { document, copies, tops, resolve, reject };
      if (isMet(machine, wait)) resolve();
      else this.#waits.add(wait);
      return () => this.#waits.delete(wait);
    }, options);
  }

  /** Somebody has more of the document on its disk. */
  review(machine: Replication, document: DocumentId): void {
    for (const wait of this.#waits) {
      if (wait.document !== document || !isMet(machine, wait)) continue;
      this.#waits.delete(wait);
      wait.resolve();
    }
  }

  /** Nobody is going to say any more. */
  end(): void {
    const message = "the replica was closed before others had everything";
    for (const { reject } of this.#waits) {
      reject(new HeddleError(HeddleErrorCode.storageClosed, message));
    }
    this.#waits.clear();
  }
}

function isMet(machine: Replication, { document, copies, tops }: Wait): boolean {
  return [...tops].every(([lane, seq]) => {
    const { stores, isRelayed } = machine.replicatedBy(document, lane, seq);
    return copies === "relay" ? isRelayed : stores >= copies;
  });
}
