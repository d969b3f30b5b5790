import {
  equalBytes,
  encodeCheckpointVector,
  hashCheckpointVector,
  limits,
  logDigest,
  PayloadCodec,
  signCheckpoint,
  type Checkpoint,
  type CheckpointVector,
  type Envelope,
  type Environment,
  type Hlc,
  type LaneId,
  type LanePosition,
  type LogStore,
  type RecalledEnvelope,
  type Signer,
  type SpaceId,
  type StoredDocument,
} from "@heddle/core";
import {
  ClockRanges,
  decodeStateVector,
  digestState,
  HeldClocks,
  type ParsedUpdate,
} from "@heddle/document";

import { LogReading, parsePayload } from "./log-reading.ts";
import { hashCoveredRecalls, openBase, readCheckpoint, type Ground } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import { isUncounted } from "./space/member-recalls.ts";
import type { FoldedState, StateFacts, StateFolder } from "./state-folder.ts";
import { walkLog } from "./walk-log.ts";

/** What a build works with. */
export interface CheckpointBuilder {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly folder: StateFolder;
  readonly signer: Signer;
  readonly space: SpaceId;
  /** A reading of the hybrid clock. */
  readonly tick: () => Hlc;
  /** Payloads that one build takes; the rest is for the next one. */
  readonly payloadBytesMax?: number;
  /** Envelopes that one batch drops. */
  readonly pruneStepEnvelopes?: number | undefined;
}

/** What came of one build. */
export type BuildOutcome =
  | { readonly outcome: "built"; readonly checkpoint: Checkpoint; readonly isWhole: boolean }
  | { readonly outcome: "nothing-new" }
  /** No checkpoint may be made of it now. */
  | { readonly outcome: "refused"; readonly reason: string };

/** The state of a checkpoint, which is whole in itself, and what it covers. */
export interface JoinedState extends CheckpointVector {
  readonly state: ParsedUpdate;
}

const payloadBytesMaxDefault = 32 * 1024 * 1024;

/**
 * Builds the next checkpoint of a document from the one before and the log above it, all read from the
 * store and proved on the way. Two folds have to agree before it is made: what the log came to, and
 * what a fresh document comes to that loads the state. Both have to agree with what the validator knows
 * of the log without any fold (CKP-8). Writes nothing.
 *
 * @param joined what another replica's checkpoint holds, which becomes part of this one.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function buildCheckpoint(
  builder: CheckpointBuilder,
  document: StoredDocument,
  joined?: JoinedState,
): Promise<BuildOutcome> {
  const { store, folder } = builder;
  const recalls = await recallsInForce(store, document.id);
  if (recalls.some(isUncounted)) {
    return { outcome: "refused", reason: "what of it counts may change with the members" };
  }
  const base = await readCheckpoint(builder, document.id, recalls);
  const tail = new LogTail(base?.vector, base?.clients);
  if (base && recalls.length > 0) tail.filterFrom(recalls, await openBase(builder, base));
  else if (recalls.length > 0) tail.filterFrom(recalls);
  const isWhole = await readTail(builder, document, tail);
  if (joined) tail.join(joined);
  else if (tail.envelopes === 0) return { outcome: "nothing-new" };
  const result = await folder.fold({
    base: base && { state: base.state, stateBytes: base.header.stateBytes },
    updates: tail.payloads,
    stateBytesMax: limits.checkpointStateBytesMax,
  });
  if (result.outcome !== "folded") {
    return { outcome: "refused", reason: "reason" in result ? result.reason : result.outcome };
  }
  const doubt = doubtAbout(builder, result, tail);
  if (doubt !== undefined) return { outcome: "refused", reason: doubt };
  if (tail.held.length > limits.checkpointHeldBytesMax) {
    return { outcome: "refused", reason: "recalls hold too many clients aside" };
  }
  const [newest] = await store.readCheckpoints(document.id);
  const number = (newest?.number ?? 0) + 1;
  const floors = await store.readFloors(document.id);
  const checkpoint = await seal(builder, document, { result, tail, recalls, floors, number });
  return { outcome: "built", checkpoint, isWhole };
}

/** False when there is more of it than one build takes. */
async function readTail(
  { store, environment, payloadBytesMax = payloadBytesMaxDefault }: CheckpointBuilder,
  document: StoredDocument,
  tail: LogTail,
): Promise<boolean> {
  const { positions } = tail;
  const walk = { store, hash: environment.hash, document, positions };
  for await (const envelope of walkLog(walk)) {
    tail.add(envelope);
    if (tail.payloadBytes >= payloadBytesMax) return false;
  }
  return true;
}

/** The log above a checkpoint, as it is read. */
class LogTail {
  readonly positions: Map<LaneId, LanePosition>;
  readonly clients: Map<LaneId, number[]>;
  readonly payloads: Uint8Array[] = [];
  /** Where each client ends in the log that was read; without it, as the checkpoint has it. */
  readonly clocks = new Map<number, number>();
  readonly updates: ParsedUpdate[] = [];
  envelopes = 0;
  payloadBytes = 0;
  readonly #known: Set<number>;
  #filter: LogReading | undefined;

  constructor(
    positions: ReadonlyMap<LaneId, LanePosition> = new Map(),
    clients: ReadonlyMap<LaneId, readonly number[]> = new Map(),
  ) {
    this.positions = new Map(positions);
    this.clients = new Map([...clients].map(([lane, ids]) => [lane, [...ids]]));
    this.#known = new Set([...clients.values()].flat());
  }

  /** Ends of what recalls keep out; empty when nothing is. */
  get held(): Uint8Array {
    const held = this.#filter?.held ?? new HeldClocks();
    return held.isEmpty ? new Uint8Array() : held.encodeEnds();
  }

  get heldEnvelopes(): number {
    return this.#filter?.heldEnvelopes ?? 0;
  }

  filterFrom(
    recalls: readonly RecalledEnvelope[],
    base?: Parameters<LogReading["begin"]>[0],
  ): void {
    this.#filter = new LogReading(new Set(recalls.map(({ id }) => id)));
    if (base) this.#filter.begin(base);
  }

  add(envelope: Envelope): void {
    this.envelopes++;
    if (envelope.codec !== PayloadCodec.yjsV1) return;
    const update = this.#filter ? this.#filter.add(envelope) : parsePayload(envelope);
    if (update === undefined) return;
    // Views of a whole chunk of the log, which would stay in memory, and be sent along.
    const own = update.bytes.slice();
    this.payloadBytes += own.length;
    this.#note({ ...update, bytes: own });
    for (const { client } of update.runs) this.#bind(envelope.lane, client);
  }

  /** After all that is added. */
  join({ state, vector, clients }: JoinedState): void {
    this.#note(state);
    for (const [lane, ids] of clients) for (const client of ids) this.#bind(lane, client);
    for (const [lane, position] of vector) {
      if (position.seq > (this.positions.get(lane)?.seq ?? 0)) this.positions.set(lane, position);
    }
  }

  #note(update: ParsedUpdate): void {
    this.payloads.push(update.bytes);
    this.updates.push(update);
    for (const { client, endClock } of update.runs) {
      if (endClock > (this.clocks.get(client) ?? 0)) this.clocks.set(client, endClock);
    }
  }

  /** A client belongs to the lane that its first structs came in. */
  #bind(lane: LaneId, client: number): void {
    if (this.#known.has(client)) return;
    this.#known.add(client);
    const ofLane = this.clients.get(lane);
    if (ofLane) ofLane.push(client);
    else this.clients.set(lane, [client]);
  }
}

/** Why the folded state is not to be trusted; `undefined` when nothing speaks against it. */
function doubtAbout(
  { environment: { hash } }: CheckpointBuilder,
  { built, loaded, baseVector }: FoldedState,
  tail: LogTail,
): string | undefined {
  const digestS = ({ stateVector, deletes }: StateFacts): Uint8Array => {
    return digestState(hash, decodeStateVector(stateVector), deletes);
  };
  if (!equalBytes(digestS(built), digestS(loaded))) return "digest S of the loaded state differs";
  if (!equalBytes(built.digestC, loaded.digestC)) return "digest C of the loaded state differs";
  const expected = decodeStateVector(baseVector);
  for (const [client, clock] of tail.clocks) {
    if (clock > (expected.get(client) ?? 0)) expected.set(client, clock);
  }
  const found = decodeStateVector(built.stateVector);
  const isSame = expected.size === found.size;
  if (!isSame || [...expected].some(([client, clock]) => found.get(client) !== clock)) {
    return "the state holds other structs than the log";
  }
  const deleted = new Map(
    built.deletes.map(({ client, ranges }) => {
      return [client, new ClockRanges([...ranges])] as const;
    }),
  );
  for (const { client, ranges } of tail.updates.flatMap(({ deletes }) => deletes)) {
    for (let index = 0; index < ranges.length; index += 2) {
      if (!deleted.get(client)?.covers(ranges[index]!, ranges[index + 1]!)) {
        return "the state lacks a delete of the log";
      }
    }
  }
  return undefined;
}

interface Findings extends Ground {
  readonly result: FoldedState;
  readonly tail: LogTail;
  readonly number: number;
}

async function seal(
  builder: CheckpointBuilder,
  document: StoredDocument,
  { result, tail, number, ...ground }: Findings,
): Promise<Checkpoint> {
  const { environment, signer, space, tick } = builder;
  const { hash } = environment;
  const vector = encodeCheckpointVector({ vector: tail.positions, clients: tail.clients });
  const { built, state } = result;
  const header = await signCheckpoint(hash, signer, {
    space,
    document: document.id,
    builtAt: tick(),
    engine: result.engine,
    codec: PayloadCodec.yjsV1,
    lanes: tail.positions.size,
    digestL: logDigest(hash, tail.positions),
    vectorHash: hashCheckpointVector(hash, vector),
    digestS: digestState(hash, decodeStateVector(built.stateVector), built.deletes),
    digestC: built.digestC,
    payloadHash: hash.sha256(state),
    payloadBytes: state.length,
    stateBytes: result.stateBytes,
    recallsHash: hashCoveredRecalls(builder, tail.positions, ground),
    held: tail.held.length > 0 ? tail.held : undefined,
    heldEnvelopes: tail.heldEnvelopes,
  });
  return { document: document.id, number, header: header.bytes, vector, state };
}
