import type { LaneId } from "@heddle/core";

import type { SyncContext } from "./sync-context.ts";

/**
 * When a reader says how far it has a document on its disk. The first acknowledgement goes at once; while
 * more comes, one says it for all that came in `ackEveryMs`, unless the writer asks for it: somebody
 * there is waiting.
 */
export class LinkAcks {
  readonly #context: SyncContext;
  readonly #send: (lanes: ReadonlySet<LaneId>) => void;
  #lanes = new Set<LaneId>();
  #dueMs = -Infinity;
  #isAsked = false;

  constructor(context: SyncContext, send: (lanes: ReadonlySet<LaneId>) => void) {
    this.#context = context;
    this.#send = send;
  }

  /** More of these lanes is on disk. */
  add(lanes: Iterable<LaneId>): void {
    for (const lane of lanes) this.#lanes.add(lane);
    if (this.#isAsked) this.#flush();
    else this.tick();
  }

  /** What is on disk, or will be next, is to be acknowledged at once. */
  asked(): void {
    this.#isAsked = true;
    if (this.#lanes.size > 0) this.#flush();
  }

  tick(): void {
    if (this.#lanes.size > 0 && this.#context.nowMs >= this.#dueMs) this.#flush();
  }

  #flush(): void {
    const lanes = this.#lanes;
    this.#lanes = new Set();
    this.#isAsked = false;
    this.#dueMs = this.#context.nowMs + this.#context.limits.ackEveryMs;
    this.#send(lanes);
  }
}
