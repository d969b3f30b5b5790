import {
  decodeEnvelope,
  type DocumentEntry,
  type DocumentId,
  type DocumentName,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import { headBytes } from "./arrival-record.ts";
import { readEnvelope } from "./envelope-record.ts";
import { envelopeKeysOf, recallKeysOf } from "./key-ranges.ts";
import { laneIxOfKey, numberOfKey } from "./parts-of-key.ts";
import { documentKey } from "./record-keys.ts";
import { readDocumentEntry } from "./records.ts";
import { readable } from "./readable.ts";
import type { SalvageDatabase } from "./salvage-database.ts";
import {
  readSalvagedGround,
  salvagedBases,
  type SalvagedBase,
  type SalvagedGround,
} from "./salvaged-base.ts";
import { chainOf, type SalvagedChain, type SalvagedRef } from "./salvaged-chain.ts";
import type { SalvagedLanes } from "./salvaged-lanes.ts";
import type { SalvagedNames } from "./salvaged-names.ts";

/** The envelopes of a document that prove themselves, and what is known to be missing. */
export interface SalvagedDocument {
  readonly entry: DocumentEntry;
  /** The record with its name is lost; `entry` has its id in place of the name. */
  readonly isNameLost: boolean;
  readonly lanes: readonly SalvagedLane[];
  /** What the envelopes stand on when earlier ones were dropped, or are lost. */
  readonly base?: SalvagedBase | undefined;
  /** Names of envelopes in lanes of which not even the id is left. */
  readonly unknownLanes: number;
}

export interface SalvagedLane extends SalvagedChain {
  readonly id: LaneId;
  /** Missing where its record is lost: its envelopes cannot be written under it again. */
  readonly descriptor?: LaneDescriptor | undefined;
  /** Envelopes up to here had been dropped on purpose. */
  readonly floorBefore: number;
  /** The highest seq that anything names; above the envelopes, something is missing. */
  readonly lastSeq: number;
}

export interface SalvageTools {
  readonly database: SalvageDatabase;
  readonly names: SalvagedNames;
  readonly lanes: SalvagedLanes;
  readonly hash: Hash;
}

interface FoundLane {
  readonly bySeq: Map<number, SalvagedRef[]>;
  /** Seq → what begins the id that some record says it has. */
  readonly heads: Map<number, string>;
  lastSeq: number;
}

export async function readSalvagedDocument(
  tools: SalvageTools,
  id: DocumentId,
): Promise<SalvagedDocument> {
  const { found, unknownLanes } = await findEnvelopes(tools, id);
  const ground = await readSalvagedGround(tools, id);
  let base: SalvagedBase | undefined;
  let lanes = lanesOn(found, ground, undefined);
  if (ground.floors.size > 0 || (isWanting(tools, lanes) && !(await hasRecalls(tools, id)))) {
    for await (const candidate of salvagedBases(tools, id, ground)) {
      const onBase = lanesOn(withLanesOf(found, candidate), ground, candidate);
      // What was dropped on purpose comes back only where no checkpoint stands for it any more.
      if (ground.floors.size === 0 && !isGain(lanes, onBase, candidate)) continue;
      base = candidate;
      lanes = onBase;
      break;
    }
  }
  const described: SalvagedLane[] = [];
  for (const lane of lanes) {
    described.push({ ...lane, descriptor: await tools.lanes.descriptorOf(lane.id) });
  }
  return { ...(await readEntry(tools, id, lanes)), lanes: described, base, unknownLanes };
}

export async function readSalvagedEnvelope(
  { database, hash }: Pick<SalvageTools, "database" | "hash">,
  ref: SalvagedRef,
): Promise<Envelope> {
  return decodeEnvelope(hash, readEnvelope(...(await database.read(ref))).bytes);
}

async function findEnvelopes(
  { database, names, lanes, hash }: SalvageTools,
  document: DocumentId,
): Promise<{ readonly found: Map<LaneId, FoundLane>; readonly unknownLanes: number }> {
  const found = new Map<LaneId, FoundLane>();
  // Deleted ones too: where the checkpoint is lost that stood for them, they are all there is.
  for await (const { key, record, isFound, at } of database.versions(envelopeKeysOf(document))) {
    const ref = readable(() => {
      const { bytes, place } = readEnvelope(key, record);
      const { lane, seq, id, prev, hlc, document: own } = decodeEnvelope(hash, bytes);
      if (own !== document || seq !== numberOfKey(key)) return undefined;
      return { lane, seq, id, prev: Uint8Array.from(prev), hlc, place, at, isFound };
    });
    if (!ref) continue;
    if (!isFound) lanes.learn(laneIxOfKey(key), ref.lane);
    const lane = laneIn(found, ref.lane);
    const others = lane.bySeq.get(ref.seq) ?? [];
    lane.bySeq.set(ref.seq, [...others, ref]);
    if (!isFound) lane.lastSeq = Math.max(lane.lastSeq, ref.seq);
  }
  let unknownLanes = 0;
  for (const { laneIx, seq, head } of await names.of(document)) {
    const id = lanes.idOf(laneIx);
    if (id === undefined) {
      unknownLanes++;
      continue;
    }
    const lane = laneIn(found, id);
    lane.heads.set(seq, nameOf(head));
    lane.lastSeq = Math.max(lane.lastSeq, seq);
  }
  return { found, unknownLanes };
}

function laneIn(found: Map<LaneId, FoundLane>, id: LaneId): FoundLane {
  let lane = found.get(id);
  if (!lane) found.set(id, (lane = { bySeq: new Map(), heads: new Map(), lastSeq: 0 }));
  return lane;
}

/** A checkpoint names envelopes, too. */
function withLanesOf(
  found: ReadonlyMap<LaneId, FoundLane>,
  { vector }: SalvagedBase,
): Map<LaneId, FoundLane> {
  const all = new Map(found);
  for (const [id, { seq }] of vector) {
    const lane = found.get(id) ?? { bySeq: new Map(), heads: new Map(), lastSeq: 0 };
    all.set(id, { ...lane, lastSeq: Math.max(lane.lastSeq, seq) });
  }
  return all;
}

function lanesOn(
  found: ReadonlyMap<LaneId, FoundLane>,
  { floors }: SalvagedGround,
  base: SalvagedBase | undefined,
): SalvagedLane[] {
  return [...found].map(([id, { bySeq, heads, lastSeq }]) => {
    const isNamed = ({ seq, id: own }: SalvagedRef) => heads.get(seq) === nameOf(own);
    const chain = chainOf(bySeq, isNamed, id, base);
    const { floor, envelopes, loose } = chain;
    return { id, lastSeq, floorBefore: floors.get(id) ?? 0, floor, envelopes, loose };
  });
}

function savedOf({ floor, envelopes }: SalvagedChain): number {
  return floor + envelopes.length;
}

function isWanting(tools: SalvageTools, lanes: readonly SalvagedLane[]): boolean {
  return lanes.some((lane) => savedOf(lane) < lane.lastSeq || !tools.lanes.has(lane.id));
}

/** Whether standing on a checkpoint saves more than the log by itself. */
function isGain(
  before: readonly SalvagedLane[],
  onBase: readonly SalvagedLane[],
  { vector }: SalvagedBase,
): boolean {
  const savedBefore = new Map(before.map((lane) => [lane.id, savedOf(lane)]));
  return onBase.some(({ id }) => (vector.get(id)?.seq ?? 0) > (savedBefore.get(id) ?? 0));
}

async function hasRecalls({ database }: SalvageTools, document: DocumentId): Promise<boolean> {
  for await (const _ of database.entries(recallKeysOf(document))) return true;
  return false;
}

async function readEntry(
  { database }: SalvageTools,
  id: DocumentId,
  lanes: readonly SalvagedLane[],
): Promise<Pick<SalvagedDocument, "entry" | "isNameLost">> {
  const key = documentKey(id);
  const record = await database.get(key);
  const entry = record && readable(() => readDocumentEntry(key, record));
  if (entry) return { entry, isNameLost: false };
  const readings = lanes.flatMap(({ envelopes }) => envelopes.map(({ hlc }) => hlc));
  const createdAt = readings.reduce((a, b) => (a.wallMs <= b.wallMs ? a : b), {
    wallMs: Number.MAX_SAFE_INTEGER,
    counter: 0,
  });
  const known = readings.length > 0 ? createdAt : { wallMs: 0, counter: 0 };
  return { entry: { id, name: id as string as DocumentName, createdAt: known }, isNameLost: true };
}

function nameOf(head: Uint8Array): string {
  return Buffer.from(head.subarray(0, headBytes)).toString("hex");
}
