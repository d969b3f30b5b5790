import type { Environment } from "@heddle/core";

import type { ProjectionTarget } from "../project-document.ts";
import { livePath } from "../projection-layout.ts";
import { isAsExpected } from "../projection-batch.ts";
import type { ProjectionStore, RecordBytes } from "../projection-store.ts";
import { RecordDraft } from "../record-draft.ts";
import type { JobPace } from "./job-pace.ts";
import type { JobScope } from "./job-scope.ts";
import type { MovedPlaces } from "./look-memory.ts";
import type { UnwrittenCorrections } from "./unwritten-corrections.ts";
import type { StopSignal } from "./stop-signal.ts";

/** What the parts of one run share. */
export interface JobGround {
  /** The live generation, its definition and its source; readings of the source count. */
  readonly target: ProjectionTarget;
  /** Readings of it count. */
  readonly store: ProjectionStore;
  /** The pointer to the live generation, as it was read. */
  readonly liveBytes: RecordBytes | undefined;
  readonly environment: Pick<Environment, "clock" | "hash" | "random" | "logger">;
  readonly pace: JobPace;
  readonly scope: JobScope;
  readonly isThorough: boolean;
  /** All that is looked at; everything in the scope without. */
  readonly moved: MovedPlaces | undefined;
  readonly signal: StopSignal | undefined;
  /** What this run found so far and leaves to others. */
  readonly unwritten: UnwrittenCorrections;
}

/**
 * A draft about a partition that can only be written while this generation is the live one; `undefined` when it is not any
 * more, and what is left of it may be on its way out. It sees what the run found there and did not write.
 */
export async function draftOn(
  { store, target, liveBytes, unwritten }: JobGround,
  partition: string,
): Promise<RecordDraft | undefined> {
  const draft = new RecordDraft(store);
  const [live] = await draft.get([livePath(target.projection.name)]);
  if (!isAsExpected(live, liveBytes)) return undefined;
  unwritten.putInto(draft, partition);
  return draft;
}
