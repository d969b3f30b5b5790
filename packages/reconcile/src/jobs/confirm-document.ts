import type { DocumentId } from "@heddle/core";

import { partitionIn } from "../define-projection.ts";
import { markerIn, projectDocument, removeDocument, type Projected } from "../project-document.ts";
import { isAsExpected } from "../projection-batch.ts";
import { markerPath, sharePath } from "../projection-layout.ts";
import { isNamed } from "../projection-source.ts";
import type { RecordBytes } from "../projection-store.ts";
import type { RecordDraft } from "../record-draft.ts";
import { causeOfDrift, type RowDriftCause } from "./drift-cause.ts";
import { standingAfter } from "./feed-standing.ts";
import { draftOn, type JobGround } from "./job-ground.ts";

/** A document whose rows are not what its source says, while nothing on its way would explain it. */
export interface DifferingDocument {
  readonly outcome: "differs";
  /** Makes everything about it as its source says; nothing of it is written yet. */
  readonly draft: RecordDraft;
  readonly projected: Projected;
  readonly cause: RowDriftCause;
  /** Digest L that the draft was made from; missing where the source has no such document in this partition. */
  readonly log: string | undefined;
}

export type ConfirmedDocument =
  | DifferingDocument
  | { readonly outcome: "agrees" }
  | { readonly outcome: "undetermined"; readonly reason: string }
  /** Something moved meanwhile: look again. */
  | { readonly outcome: "moved" }
  /** The feed has not come to it, or the source is a copy that has not: it may only be late. */
  | { readonly outcome: "behind" }
  /** The source is older than the projection. */
  | { readonly outcome: "ahead" }
  /** Another generation is live. */
  | { readonly outcome: "switched" };

export interface SuspectDocument {
  readonly partition: string;
  readonly document: DocumentId;
  /** Keys under which shares were seen that its rows do not have. */
  readonly shareKeys: ReadonlySet<string>;
  /** How long the feed is waited for. */
  readonly feedWaitMs: number;
}

/**
 * Looks at one document for certain: makes its rows anew from its source and compares both ways.
 * Rows without a source, and a source without rows, are differences like all others.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function confirmDocument(
  ground: JobGround,
  suspect: SuspectDocument,
): Promise<ConfirmedDocument> {
  const { target, store } = ground;
  const { partition, document: id } = suspect;
  const draft = await draftOn(ground, partition);
  if (draft === undefined) return { outcome: "switched" };
  const described = await target.source.describe(id);
  if (described && !isNamed(described)) return { outcome: "undetermined", reason: "damaged" };
  const place = described && partitionIn(target.projection, described.name);
  if (place === "invalid") return { outcome: "undetermined", reason: "invalid" };
  const isHere = place !== undefined && place.partition === partition;
  const document = isHere ? described : undefined;
  const path = markerPath(target.generation, partition, id);
  const [before] = await draft.get([path]);
  const shares = await readShares(ground, draft, suspect);
  const projected = document
    ? await projectDocument(target, draft, document, { isSuspicious: true })
    : await removeDocument(target, draft, { partition, document: id });
  if (projected.outcome === "undetermined") return projected;
  if (projected.outcome === "invalid") return { outcome: "undetermined", reason: "invalid" };
  // What was described a moment ago is gone, or elsewhere: whoever looks again finds out.
  if (projected.outcome !== "projected") return { outcome: "moved" };
  const areSharesRight = await settleShares(draft, shares);
  const [after] = await draft.get([path]);
  const isMarked = isAsExpected(after, before);
  const { rows, totals } = projected;
  if (isMarked && areSharesRight && rows.length + totals.length === 0) return { outcome: "agrees" };
  const log = logIn(after);
  const evidence = { target, document, projected, log };
  const cause = await causeOfDrift(evidence);
  const differing = { outcome: "differs", draft, projected, cause, log } as const;
  // Rows of this very state of the document: nothing that is on its way can make them right.
  if (log !== undefined && log === logIn(before)) return differing;
  const { pace, environment, signal } = ground;
  const wait = { pace, clock: environment.clock, waitMs: suspect.feedWaitMs, signal };
  const standing = await standingAfter({ ...target, store }, wait);
  if (standing !== "passed") return { outcome: standing };
  if ((await target.source.describeFeed()).isCopy && !isNew(before, projected))
    return { outcome: "behind" };
  const [now] = await store.get([path]);
  return isAsExpected(now, before) ? differing : { outcome: "moved" };
}

function logIn(marker: RecordBytes | undefined): string | undefined {
  const read = markerIn(marker);
  return read === undefined || read === "damaged" ? undefined : read.log;
}

/**
 * Whether the projection has nothing of a document. What it has may be of a later state than a copy knows of: a follower
 * takes in all that a document holds by then, also of groups that its place in the feed does not name yet.
 */
function isNew(marker: RecordBytes | undefined, { rows }: Projected): boolean {
  return marker === undefined && rows.every(({ before }) => before === undefined);
}

interface SeenShare {
  readonly path: readonly string[];
  readonly value: RecordBytes | undefined;
}

async function readShares(
  { target }: JobGround,
  draft: RecordDraft,
  { partition, document, shareKeys }: SuspectDocument,
): Promise<readonly SeenShare[]> {
  const paths = [...shareKeys].map((key) => sharePath(target.generation, partition, key, document));
  const values = paths.length > 0 ? await draft.get(paths) : [];
  return paths.map((path, index) => ({ path, value: values[index] }));
}

/** Takes out shares that no row stands behind. False when any of them is not as the draft has it. */
async function settleShares(draft: RecordDraft, shares: readonly SeenShare[]): Promise<boolean> {
  let areRight = true;
  for (const { path, value } of shares) {
    const isDrafted = draft.isDrafted(path);
    if (!isDrafted && value !== undefined) draft.remove(path);
    const [after] = await draft.get([path]);
    if (!isAsExpected(after, value)) areRight = false;
  }
  return areRight;
}
