import { equalBytes, type DocumentId } from "@heddle/core";

import { decodeRuns, nextChain, readArrival, type StoredRun } from "./arrival-record.ts";
import { arrivalKeys } from "./key-ranges.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { feedFloorKey, headKey, markKey } from "./record-keys.ts";
import {
  emptyTail,
  readFeedFloor,
  readHead,
  readMark,
  type LogMark,
  type LogTail,
} from "./records.ts";
import type { VerifiedLanes } from "./verify-lanes.ts";
import { checked, type RecordVerification } from "./record-verification.ts";

export interface VerifiedGroups {
  /** What the head says, as far as it can be read. */
  readonly tail: LogTail | undefined;
  /** Highest seq that the change feed names, by document and number of the lane. */
  readonly lastSeqs: ReadonlyMap<DocumentId, ReadonlyMap<number, number>>;
  /** Every group is there and can be read: what they do not name was never written. */
  readonly isComplete: boolean;
}

/** Groups are numbered without gaps, chained, and the head names the last one. */
export async function verifyGroups(
  verification: RecordVerification,
  lanes: VerifiedLanes,
): Promise<VerifiedGroups> {
  const { database, pace } = verification;
  const floorRecord = await database.get(feedFloorKey);
  const floor =
    floorRecord && checked(verification.report, feedFloorKey, () => readFeedFloor(floorRecord));
  const walk = new GroupWalk(verification, lanes, floor ?? emptyTail);
  for await (const chunk of database.entries(arrivalKeys)) {
    for (const [key, record] of chunk) {
      await pace(record.length);
      walk.visit(key, record);
    }
  }
  const head = await database.get(headKey);
  const mark = await database.get(markKey);
  return walk.finish(head, mark);
}

class GroupWalk {
  readonly #verification: RecordVerification;
  readonly #lanes: VerifiedLanes;
  readonly #lastSeqs = new Map<DocumentId, Map<number, number>>();
  #number: number;
  /** Of the last group; `undefined` behind one that could not be read. */
  #chain: Uint8Array | undefined;
  #isComplete: boolean;

  /** @param floor the last group that was dropped, which vouches for the next one. */
  constructor(verification: RecordVerification, lanes: VerifiedLanes, floor: LogMark) {
    this.#verification = verification;
    this.#lanes = lanes;
    this.#number = floor.number;
    this.#chain = floor.chain;
    this.#isComplete = floor.number === 0;
  }

  visit(key: Uint8Array, record: Uint8Array): void {
    const { hash, report } = this.#verification;
    const number = numberOfKey(key);
    if (number !== this.#number + 1) {
      this.#damage(`commit groups ${this.#number + 1} to ${number - 1} are missing`);
      this.#lose();
    }
    this.#number = number;
    const arrival = checked(report, key, () => readArrival(key, record));
    if (!arrival) return this.#lose();
    const { chain, runs } = arrival;
    if (this.#chain && !equalBytes(chain, nextChain(hash, this.#chain, number, runs))) {
      this.#damage(`commit group ${number} does not follow from the one before`);
    }
    this.#chain = chain;
    for (const run of decodeRuns(runs)) this.#learn(number, run);
  }

  finish(headRecord: Uint8Array | undefined, markRecord: Uint8Array | undefined): VerifiedGroups {
    const { report } = this.#verification;
    const tail = headRecord && checked(report, headKey, () => readHead(headRecord));
    if (markRecord) checked(report, markKey, () => readMark(markRecord));
    if (!headRecord && this.#number > 0) this.#damage("the head record is missing");
    const isSame = !tail || !this.#chain || equalBytes(tail.chain, this.#chain);
    if (tail && (tail.number !== this.#number || !isSame)) {
      this.#damage(`the head names group ${tail.number}, the last one there is ${this.#number}`);
      this.#isComplete = false;
    }
    const lastSeqs = this.#lastSeqs;
    return { tail, lastSeqs, isComplete: this.#isComplete };
  }

  #learn(number: number, { document, laneIx, toSeq }: StoredRun): void {
    if (!this.#lanes.byIx.has(laneIx)) {
      this.#damage(`commit group ${number} names lane ${laneIx}, which is unknown`);
    }
    let seqs = this.#lastSeqs.get(document);
    if (!seqs) this.#lastSeqs.set(document, (seqs = new Map()));
    seqs.set(laneIx, Math.max(seqs.get(laneIx) ?? 0, toSeq));
  }

  #lose(): void {
    this.#chain = undefined;
    this.#isComplete = false;
  }

  #damage(what: string): void {
    this.#verification.report({ severity: "damage", part: "group", what });
  }
}
