import {
  decodeCursor,
  feedPath,
  kindPath,
  projectionLimits,
  ProjectionReader,
  readGenerations,
  readOr,
  type NumberedGeneration,
  type ProjectionStore,
  type RowValue,
} from "@heddle/reconcile";
import { HeddleError, HeddleErrorCode, isHeddleError } from "@heddle/core";
import type { ProjectionStatus } from "@heddle/replica";

/** What there is to know of one projection of a data folder. */
export interface ProjectionReport {
  readonly name: string;
  /** `stopped`: no process follows it, or none with its definition. */
  readonly state: ProjectionStatus["state"] | "stopped";
  /** What is read; missing while it is built for the first time. */
  readonly live?: GenerationLine;
  /** What is being built beside it. */
  readonly building?: GenerationLine;
  /** Documents that could not be taken in, and keep the rows that they had; at most {@link stalledShownMax}. */
  readonly stalled: number;
  readonly running?: RunningProjection;
}

/** Since the process that follows it has started. */
export interface RunningProjection {
  /** Turns that failed, and were done again. */
  readonly failures: number;
  /** The last document that its definition failed on. */
  readonly lastInvalid?: { readonly document: string; readonly error: string };
}

export interface GenerationLine {
  readonly number: number;
  readonly owner: string;
  readonly version: number;
  readonly policyVersion: number;
  readonly startedAtMs: number;
  /** Group of the change feed that it has come to; missing before the first. */
  readonly arrival?: number;
  /** All documents are compared, as the feed alone does not say what is missing. */
  readonly isComparing: boolean;
}

export interface ProjectionReading {
  readonly store: ProjectionStore;
  /** Of those with a definition. */
  readonly statuses: readonly ProjectionStatus[];
}

export const stalledShownMax = projectionLimits.pageEntriesMax;

/** All projections that are defined or have left something in the store, by name. */
export async function reportProjections(
  { store, statuses }: ProjectionReading,
  { projection: wanted }: { readonly projection?: string | undefined },
): Promise<readonly ProjectionReport[]> {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const names = new Set([...byName.keys(), ...(await projectionNamesIn(store))]);
  const reports: ProjectionReport[] = [];
  for (const name of [...names].toSorted()) {
    if (wanted === undefined || wanted === name) {
      reports.push(await reportOf(store, name, byName.get(name)));
    }
  }
  return reports;
}

async function reportOf(
  store: ProjectionStore,
  name: string,
  status: ProjectionStatus | undefined,
): Promise<ProjectionReport> {
  const { live, all } = await readGenerations(store, name);
  const building = all.find(({ state }) => state === "building");
  const read = live ?? building;
  const under = read && kindPath("stalled", read.id);
  const stalled = under ? await store.readPage({ under, limit: stalledShownMax }) : [];
  return {
    name,
    state: status?.state ?? "stopped",
    ...(live && { live: await lineOf(store, live) }),
    ...(building && { building: await lineOf(store, building) }),
    stalled: stalled.length,
    ...(status && { running: runningOf(status) }),
  };
}

function runningOf({ failures, lastInvalid }: ProjectionStatus): RunningProjection {
  if (lastInvalid === undefined) return { failures };
  const { document, error } = lastInvalid;
  return { failures, lastInvalid: { document, error } };
}

async function lineOf(store: ProjectionStore, generation: NumberedGeneration) {
  const { id, owner, version, policyVersion, startedAtMs } = generation;
  const [stored] = await store.get([feedPath(id)]);
  const cursor = readOr(stored, decodeCursor);
  const { number } = id;
  const isComparing = cursor?.comparedUpTo !== undefined;
  const line = { number, owner, version, policyVersion, startedAtMs, isComparing };
  return cursor === undefined ? line : { ...line, arrival: cursor.arrival };
}

/** Behind the records of a projection, and before those of the next one. */
async function projectionNamesIn(store: ProjectionStore): Promise<readonly string[]> {
  const names: string[] = [];
  for (let after: readonly string[] | undefined; ;) {
    const [record] = await store.readPage({ under: ["generation"], after, limit: 1 });
    const name = record?.path[1];
    if (name === undefined) return names;
    names.push(name);
    after = ["generation", `${name}\u0001`];
  }
}

/** Which rows; keys of all partitions without a partition. */
export interface RowsRequest {
  readonly projection: string;
  readonly partition?: string | undefined;
  readonly key?: string | undefined;
  readonly limit: number;
}

/** What a key comes to; without a value when it is damaged. */
export interface RowLine {
  readonly partition: string;
  readonly key: string;
  readonly value?: RowValue;
}

/** Rows of one answer. */
export const rowsMax = projectionLimits.pageEntriesMax;

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` for a projection that there is not, or more rows than {@link rowsMax}. */
export async function readRowLines(
  store: ProjectionStore,
  { projection, partition, key, limit }: RowsRequest,
): Promise<readonly RowLine[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > rowsMax) {
    throw refused(`1 to ${rowsMax} rows are shown at once`);
  }
  const reader = new ProjectionReader(store, projection);
  if (!(await reader.isBuilt())) throw refused(`there is no projection ${projection} to read yet`);
  if (key !== undefined) {
    if (partition === undefined) throw refused("say of which partition, with --partition");
    return await lineAt(reader, partition, key);
  }
  const partitions =
    partition === undefined ? await reader.partitions(undefined, limit) : [partition];
  const lines: RowLine[] = [];
  for (const name of partitions) {
    for (let after: string | undefined; lines.length < limit;) {
      const keys = await reader.keys(name, after, limit - lines.length);
      if (keys.length === 0) break;
      for (const one of keys) lines.push(...(await lineAt(reader, name, one)));
      after = keys.at(-1);
    }
  }
  return lines;
}

async function lineAt(
  reader: ProjectionReader,
  partition: string,
  key: string,
): Promise<readonly RowLine[]> {
  try {
    const value = await reader.get(partition, key);
    return value === undefined ? [] : [{ partition, key, value }];
  } catch (error) {
    if (isHeddleError(error, HeddleErrorCode.storageCorrupt)) return [{ partition, key }];
    throw error;
  }
}

function refused(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
