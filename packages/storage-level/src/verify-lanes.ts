import { toHex, type LaneId } from "@heddle/core";

import { laneAliasKeys, laneKeys } from "./key-ranges.ts";
import { laneBytesOfKey, laneIxOfKey } from "./parts-of-key.ts";
import { readLane, readLaneAlias } from "./records.ts";
import { checked, type RecordVerification } from "./record-verification.ts";

/** Lanes by the number that this store gave them, as far as their records can be read. */
export interface VerifiedLanes {
  readonly count: number;
  readonly byIx: ReadonlyMap<number, LaneId>;
}

/** Descriptors are numbered without gaps, and each lane has the alias that its descriptor says. */
export async function verifyLanes(verification: RecordVerification): Promise<VerifiedLanes> {
  const { database, hash, report, pace } = verification;
  const damage = (what: string): void => report({ severity: "damage", part: "lane", what });
  const byIx = new Map<number, LaneId>();
  const withoutDescriptor: LaneId[] = [];
  let count = 0;
  for await (const chunk of database.entries(laneKeys)) {
    for (const [key, record] of chunk) {
      await pace(record.length);
      const lane = checked(report, key, () => readLane(hash, key, record));
      const laneIx = laneIxOfKey(key);
      for (let missing = count + 1; missing < laneIx; missing++) {
        damage(`the descriptor of lane ${missing} is missing`);
      }
      count = Math.max(count, laneIx);
      if (lane) byIx.set(laneIx, lane.id);
      if (lane && !lane.descriptor) withoutDescriptor.push(lane.id);
    }
  }
  const aliases = new Map<number, LaneId>();
  const undescribed = new Set<LaneId>();
  for await (const chunk of database.entries(laneAliasKeys)) {
    for (const [key, record] of chunk) {
      await pace(record.length);
      const alias = checked(report, key, () => readLaneAlias(key, record));
      if (alias === undefined) continue;
      const lane = toHex(laneBytesOfKey(key)) as LaneId;
      aliases.set(alias.laneIx, lane);
      if (alias.isUndescribed) undescribed.add(lane);
    }
  }
  for (const lane of withoutDescriptor) {
    if (!undescribed.has(lane)) damage(`the descriptor of lane ${lane} was there and is not`);
  }
  for (const [laneIx, lane] of byIx) {
    const alias = aliases.get(laneIx);
    if (alias !== lane) damage(`the alias of lane ${lane} is ${alias ? "another's" : "missing"}`);
  }
  for (const [laneIx, lane] of aliases) {
    if (laneIx > count) damage(`the descriptor of lane ${lane} is missing`);
    if (!byIx.has(laneIx)) byIx.set(laneIx, lane);
  }
  return { count, byIx };
}
