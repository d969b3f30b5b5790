import {
  compareHlc,
  decodeEnvelope,
  PayloadCodec,
  toHex,
  type DocumentId,
  type Environment,
  type Hlc,
  type LaneId,
  type LogStore,
} from "@heddle/core";
import { ComparedRun, type ParsedUpdate } from "@heddle/document";

import { parsePayload } from "../log-reading.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import { isUncounted } from "../space/member-recalls.ts";

/** An envelope that writes something else than another lane had written before it, under the same Yjs client. */
export interface SharedClientEnvelope {
  /** In hex. */
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
  readonly client: number;
}

interface Claim {
  readonly client: number;
  readonly clock: number;
  readonly endClock: number;
}

interface Written {
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
  readonly hlc: Hlc;
  readonly claims: readonly Claim[];
}

interface LogTools {
  readonly store: LogStore;
  readonly environment: Environment;
}

/**
 * Envelopes that write under a Yjs client and clock something else than another lane wrote there: a cloned profile, or
 * an application that set a client id by hand. A function of the log alone, and one that only ever adds:
 *
 * - Of two lanes the one that wrote first as the client, by clock reading and lane, keeps what it wrote, whatever came
 *   first. As a lane has no gaps this is known as soon as anything of it is; of a lane that was pruned it is not known
 *   any more, and nothing is said of it; what does not count in a space takes nothing from anybody.
 * - What a later lane wrote otherwise than an earlier one is left out, with all that follows in that lane as that client.
 *
 * So everybody who holds the same log says the same, and nobody ever has to take a word back (I9 is not touched: all
 * of them stay in the log). The same operations in two lanes are nothing: a client that went through two relays, a
 * file imported twice.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function findSharedClients(
  tools: LogTools,
  document: DocumentId,
): Promise<readonly SharedClientEnvelope[]> {
  const written: Written[] = [];
  await readUpdates(tools, document, (update, envelope) => {
    const claims = update.runs.map(({ client, clock, endClock }) => ({ client, clock, endClock }));
    if (claims.length > 0) written.push({ ...envelope, claims });
  });
  written.sort(inOrder);
  const floors = await tools.store.readFloors(document);
  const recalls = await recallsInForce(tools.store, document);
  const uncounted = new Set(recalls.filter(isUncounted).map(({ id }) => id));
  const whole = written.filter(({ id, lane }) => !floors.get(lane) && !uncounted.has(id));
  const overlaps = overlapsIn(whole);
  if (overlaps.length === 0) return [];
  const wanted = new Set(overlaps.flatMap(({ first, second }) => [first.id, second.id]));
  return losersOf(whole, overlaps, await readRuns(tools, document, wanted));
}

async function readUpdates(
  { store, environment }: LogTools,
  document: DocumentId,
  visit: (update: ParsedUpdate, envelope: Omit<Written, "claims">) => void,
): Promise<void> {
  for await (const chunk of store.readLogByArrival(document)) {
    for (const stored of chunk) {
      const envelope = decodeEnvelope(environment.hash, stored.bytes);
      if (envelope.codec !== PayloadCodec.yjsV1) continue;
      const { lane, seq, hlc } = envelope;
      visit(parsePayload(envelope), { id: toHex(envelope.id), lane, seq, hlc: { ...hlc } });
    }
  }
}

interface Place {
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
  /** Which of its runs. */
  readonly run: number;
}

interface Overlap {
  readonly client: number;
  /** In the lane that wrote as this client before the other did. */
  readonly first: Place;
  readonly second: Place;
}

type Taken = Claim & Place;

/** Runs of two lanes that overlap. */
function overlapsIn(written: readonly Written[]): Overlap[] {
  const ofClient = new Map<number, Taken[]>();
  for (const { id, lane, seq, claims } of written) {
    for (const [run, claim] of claims.entries()) {
      const one = { ...claim, id, lane, seq, run };
      const taken = ofClient.get(claim.client);
      if (taken) taken.push(one);
      else ofClient.set(claim.client, [one]);
    }
  }
  return [...ofClient.values()].flatMap(overlapsOf);
}

/** @param taken of one client, in the order in which they were written. */
function overlapsOf(taken: readonly Taken[]): Overlap[] {
  // Lanes, in the order in which they began to write as this client; as good as always one.
  const lanes = [...new Set(taken.map(({ lane }) => lane))];
  if (lanes.length === 1) return [];
  const rankOf = new Map(lanes.map((lane, rank) => [lane, rank]));
  const found: Overlap[] = [];
  let open: Taken[] = [];
  for (const one of taken.toSorted((a, b) => a.clock - b.clock)) {
    open = open.filter(({ endClock }) => endClock > one.clock);
    for (const other of open) {
      if (other.lane === one.lane) continue;
      const isOtherFirst = rankOf.get(other.lane)! < rankOf.get(one.lane)!;
      const [first, second] = isOtherFirst ? [other, one] : [one, other];
      found.push({ client: one.client, first, second });
    }
    open.push(one);
  }
  return found;
}

async function readRuns(
  tools: LogTools,
  document: DocumentId,
  wanted: ReadonlySet<string>,
): Promise<Map<string, readonly ComparedRun[]>> {
  const runs = new Map<string, readonly ComparedRun[]>();
  await readUpdates(tools, document, (update, { id }) => {
    if (!wanted.has(id)) return;
    // A copy: what was read is a view of a whole chunk of the log.
    const own = { ...update, bytes: update.bytes.slice() };
    runs.set(
      id,
      own.runs.map((run) => new ComparedRun(own, run)),
    );
  });
  return runs;
}

function losersOf(
  written: readonly Written[],
  overlaps: readonly Overlap[],
  runs: ReadonlyMap<string, readonly ComparedRun[]>,
): SharedClientEnvelope[] {
  /** The first envelope of a lane that lost, of each client: what follows in that lane stands on it. */
  const lostFrom = new Map<string, number>();
  for (const { client, first, second } of overlaps) {
    const key = `${second.lane} ${client}`;
    const known = lostFrom.get(key) ?? Infinity;
    if (second.seq >= known) continue;
    const [a, b] = [first, second].map(({ id, run }) => runs.get(id)?.[run]);
    if (a && b && a.isInConflictWith(b)) lostFrom.set(key, second.seq);
  }
  return written.flatMap(({ id, lane, seq, claims }) => {
    const lost = claims.find(
      ({ client }) => seq >= (lostFrom.get(`${lane} ${client}`) ?? Infinity),
    );
    return lost ? [{ id, lane, seq, client: lost.client }] : [];
  });
}

function inOrder(a: Written, b: Written): number {
  return compareHlc(a.hlc, b.hlc) || (a.lane < b.lane ? -1 : a.lane > b.lane ? 1 : a.seq - b.seq);
}
