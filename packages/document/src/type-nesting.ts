import { ByteCursor, malformed } from "./byte-cursor.ts";
import { walkWithin } from "./causal-walk.ts";
import { ClockSteps } from "./clock-steps.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { noClient, StructKind, StructReader } from "./struct-reader.ts";

/**
 * Deepest nesting of shared types within one update. Yjs deletes recursively and runs out of stack at
 * about 4,100 levels, in the middle of an honest transaction.
 */
export const typeDepthMax = 256;

/** With no more types than this the depth need not be looked at. */
export const typesUnchecked = typeDepthMax;

/**
 * Checks what needs the whole update: that a parent which the update itself holds is a shared type
 * (or was deleted), and that types are not nested too deep.
 *
 * @throws HeddleError `HEDDLE_UPDATE_MALFORMED`
 */
export function checkNesting(update: ParsedUpdate, typeCount: number): void {
  checkParents(update);
  if (typeCount > typesUnchecked) checkDepth(update);
}

const cannotHold = 0;
const canHold = 1;

function checkParents(update: ParsedUpdate): void {
  const parents: number[] = [];
  const holders = new Map<number, ClockSteps>();
  const reader = new StructReader(new ByteCursor(update.bytes));
  for (const run of update.runs) {
    let steps = holders.get(run.client);
    if (steps === undefined) holders.set(run.client, (steps = new ClockSteps()));
    reader.seek(run.client, run.clock, run.start);
    while (reader.end < run.end) {
      reader.next();
      const { kind } = reader;
      const holds =
        kind === StructKind.type || kind === StructKind.gc || kind === StructKind.deleted;
      steps.append(reader.clock, reader.endClock, holds ? canHold : cannotHold);
      if (reader.parentClient !== noClient) parents.push(reader.parentClient, reader.parentClock);
    }
  }
  for (let index = 0; index < parents.length; index += 2) {
    if (holders.get(parents[index]!)?.at(parents[index + 1]!) === cannotHold) {
      throw malformed("parent is no shared type");
    }
  }
}

/** Keeps for each struct how many types of this update it lies in. */
function checkDepth(update: ParsedUpdate): void {
  const depths = new Map<number, ClockSteps>();
  // Only what the update itself nests counts: the verdict may not depend on what is known here.
  const walk = walkWithin(update);
  for (const client of walk.frontiers.keys()) depths.set(client, new ClockSteps());
  const depthAt = (client: number, clock: number): number => depths.get(client)?.at(clock) ?? 0;
  walk.run((struct) => {
    let depth = 0;
    if (struct.originClient !== noClient) depth = depthAt(struct.originClient, struct.originClock);
    else if (struct.rightClient !== noClient)
      depth = depthAt(struct.rightClient, struct.rightClock);
    else if (struct.parentClient !== noClient) {
      depth = depthAt(struct.parentClient, struct.parentClock) + 1;
    }
    if (struct.kind === StructKind.type && depth >= typeDepthMax)
      throw malformed("shared types nested too deep");
    depths.get(struct.client)!.append(struct.clock, struct.endClock, depth);
  });
}
