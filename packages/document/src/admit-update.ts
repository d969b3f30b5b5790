import type { KnownClocks } from "./known-clocks.ts";
import { admitDeletes } from "./admit-deletes.ts";
import { admitStructs } from "./admit-structs.ts";
import { type ParsedUpdate, isEmptyUpdate } from "./parsed-update.ts";
import { parseStored } from "./parse-update.ts";
import { encodeUpdate, piecesOf } from "./update-writer.ts";

/** Neither part present: the update adds nothing (a duplicate). */
export interface Admission {
  /** What is new and complete: may be logged, shown, and then handed to `knowledge.learn`. */
  readonly admitted?: ParsedUpdate;
  /** A V1 update with what must wait for others; try it again when something was learned. */
  readonly parked?: Uint8Array;
  /** The update added nothing and waits for nothing. */
  readonly isDuplicate: boolean;
}

const duplicate: Admission = { isDuplicate: true };

/**
 * Splits an update by what is known. Known structs and deletes are dropped (DOC-2). A struct is
 * admitted only when it follows without a gap on its client's known clocks and everything it refers
 * to is known or admitted with it; a delete only when its target is (DOC-6). The rest is parked.
 * `knowledge` is not changed.
 *
 * What is admitted leaves Yjs nothing to hold pending. A struct known in part is trimmed to its
 * unknown rest, so that no clock is logged twice.
 */
export function admitUpdate(knowledge: KnownClocks, update: ParsedUpdate): Admission {
  const structs = admitStructs(knowledge, update);
  const deletes = admitDeletes(knowledge, update, structs.clocks);
  if (structs.isWhole && deletes.isWhole && update.isPlain) {
    return isEmptyUpdate(update) ? duplicate : { admitted: update, isDuplicate: false };
  }
  const admitted = structs.isWhole ? piecesOf(update) : structs.admitted;
  const hasAdmitted = admitted.length > 0 || deletes.admitted.length > 0;
  const hasParked = structs.parked.length > 0 || deletes.parked.length > 0;
  if (!hasAdmitted && !hasParked) return duplicate;
  return {
    ...(hasAdmitted && { admitted: parseStored(encodeUpdate(admitted, deletes.admitted)) }),
    ...(hasParked && { parked: encodeUpdate(structs.parked, deletes.parked) }),
    isDuplicate: false,
  };
}
