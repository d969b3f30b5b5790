import type { Clock } from "@heddle/core";

import type { Projection } from "./define-projection.ts";
import {
  generationKinds,
  generationPath,
  kindPath,
  livePath,
  type GenerationId,
} from "./projection-layout.ts";
import {
  decodeGeneration,
  decodeLive,
  encodeGeneration,
  encodeLive,
  type Generation,
} from "./projection-records.ts";
import { isAsExpected } from "./projection-batch.ts";
import { projectionLimits } from "./projection-limits.ts";
import type { ApplyOutcome, ProjectionStore, RecordBytes } from "./projection-store.ts";
import { readRecords, RecordDraft } from "./record-draft.ts";
import type { RecordPath } from "./record-path.ts";

/** What there is of a projection. */
export interface ProjectionGenerations {
  /** The one that is read. */
  readonly live: NumberedGeneration | undefined;
  /** Newest first, with those that are to be dropped. */
  readonly all: readonly NumberedGeneration[];
}

export interface NumberedGeneration extends Generation {
  readonly id: GenerationId;
}

/** @throws HeddleError `HEDDLE_STORAGE_*`. */
export async function readGenerations(
  store: ProjectionStore,
  projection: string,
): Promise<ProjectionGenerations> {
  const all: NumberedGeneration[] = [];
  for await (const { path, value } of readRecords(store, ["generation", projection])) {
    const number = Number(path[2]);
    const generation = path.length === 3 ? generationIn(value) : undefined;
    if (generation) all.unshift({ ...generation, id: { projection, number } });
  }
  const [pointer] = await store.get([livePath(projection)]);
  const number = numberIn(pointer);
  return { live: all.find(({ id }) => id.number === number), all };
}

/**
 * The generation that a runner has to keep up with: the live one where it is of this definition, and otherwise
 * one that is being built beside it, which is begun when there is none. Others that were being built
 * are given up.
 *
 * @param isRebuild to begin one although the live one is of this definition.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function openGeneration(
  store: ProjectionStore,
  { projection, definition, clock }: GenerationFor,
  isRebuild = false,
): Promise<NumberedGeneration> {
  for (;;) {
    const { live, all } = await readGenerations(store, projection.name);
    const isOurs = ({ definition: of, state }: Generation): boolean => {
      return of === definition && state !== "dropped";
    };
    const found = all.find((one) => isOurs(one) && (one.state === "building" || !isRebuild));
    const others = all.filter((one) => one.state === "building" && one !== found);
    const isNeeded = found === undefined || (found.state === "live" && found !== live);
    const kept = isNeeded ? undefined : found;
    if (kept && others.length === 0) return kept;
    const draft = new RecordDraft(store);
    let isStill = true;
    for (const other of others) isStill &&= await changeState(draft, other, "dropped");
    const made = kept ?? (await addGeneration(draft, { projection, definition, clock }));
    if (isStill && (await draft.commit()) === "applied") return made;
  }
}

export interface GenerationFor {
  readonly projection: Projection;
  /** Digest of the definition, in hex. */
  readonly definition: string;
  readonly clock: Clock;
}

/**
 * Makes a generation the one that is read, in one batch: readers see the old one or the new one, whole, and
 * never a part of either (PRJ-9). Only one that is being built still: what somebody else has dropped meanwhile is on its
 * way out.
 *
 * @returns `moved` when it is not, or when something moved meanwhile; nothing was written then.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function switchLive(
  store: ProjectionStore,
  generation: NumberedGeneration,
): Promise<ApplyOutcome> {
  const { projection, number } = generation.id;
  const draft = new RecordDraft(store);
  await draft.get([livePath(projection)]);
  const { all } = await readGenerations(store, projection);
  if (!(await changeState(draft, { ...generation, state: "building" }, "live"))) return "moved";
  // More than the one that is read where its pointer was lost.
  for (const other of all) {
    if (other.state !== "live" || other.id.number === number) continue;
    if (!(await changeState(draft, other, "dropped"))) return "moved";
  }
  draft.put(livePath(projection), encodeLive(number));
  return draft.commit();
}

/**
 * Removes some of the records of generations that were dropped.
 *
 * @returns whether there may be more.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function removeDropped(store: ProjectionStore, projection: string): Promise<boolean> {
  const { all, live } = await readGenerations(store, projection);
  const dropped = all.find(({ state, id }) => state === "dropped" && id.number !== live?.id.number);
  if (!dropped) return false;
  for (const kind of generationKinds) {
    const under = kindPath(kind, dropped.id);
    const page = await store.readPage({ under, limit: projectionLimits.pageEntriesMax });
    if (page.length === 0) continue;
    await store.apply({ remove: page.map(({ path }) => path) });
    return true;
  }
  await store.apply({ remove: [generationPath(dropped.id)] });
  return true;
}

async function addGeneration(
  draft: RecordDraft,
  { projection, definition, clock }: GenerationFor,
): Promise<NumberedGeneration> {
  const { name, version, policyVersion, owner } = projection;
  // Beside the generations and above all of them: a number that was dropped is not given again.
  const counter: RecordPath = ["generation", name];
  const [stored] = await draft.get([counter]);
  const last = Math.max(numberIn(stored) ?? 0, await highestNumber(draft, name));
  const id = { projection: name, number: last + 1 };
  const generation: Generation = {
    definition,
    version,
    policyVersion,
    owner,
    state: "building",
    startedAtMs: Math.floor(clock.nowMs()),
  };
  draft.put(counter, encodeLive(id.number));
  draft.put(generationPath(id), encodeGeneration(generation));
  return { ...generation, id };
}

/** Should the counter be lost. */
async function highestNumber(draft: RecordDraft, name: string): Promise<number> {
  let highest = 0;
  for await (const { path } of draft.scan(["generation", name])) {
    if (path.length === 3) highest = Math.max(highest, Number(path[2]));
  }
  return highest;
}

/** False when it is not any more as it was read: by then nothing is drafted of it. */
async function changeState(
  draft: RecordDraft,
  { id, ...generation }: NumberedGeneration,
  state: Generation["state"],
): Promise<boolean> {
  const [stored] = await draft.get([generationPath(id)]);
  const found = stored && generationIn(stored);
  if (!isAsExpected(found && encodeGeneration(found), encodeGeneration(generation))) return false;
  draft.put(generationPath(id), encodeGeneration({ ...generation, state }));
  return true;
}

function generationIn(value: RecordBytes): Generation | undefined {
  if (value === "damaged") return undefined;
  try {
    return decodeGeneration(value);
  } catch {
    return undefined; // Nothing is known of it: it is built anew under another number.
  }
}

function numberIn(value: RecordBytes | undefined): number | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  try {
    return decodeLive(value);
  } catch {
    return undefined; // As if there were none.
  }
}
