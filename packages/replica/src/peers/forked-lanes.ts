import {
  decodeEnvelope,
  PayloadCodec,
  toHex,
  type DocumentId,
  type Envelope,
  type Environment,
  type KeptFork,
  type LaneId,
  type LogStore,
} from "@heddle/core";

/** One of the two histories of a lane, from where they part. */
export interface LaneBranch {
  /** Of its first envelope, hex: the name of the branch. */
  readonly id: string;
  /** It is in the log here, and in the document. Of the other one the store keeps what it was shown. */
  readonly isLogged: boolean;
  readonly envelopes: number;
  /** Encoded. */
  readonly bytes: number;
}

/** A lane that was written twice, by a copied image or a thief of a key. */
export interface ForkedLane {
  readonly document: DocumentId;
  readonly lane: LaneId;
  /** Public key of the device that signed both, hex. */
  readonly device: string;
  readonly seq: number;
  /** Wall clock, milliseconds. */
  readonly foundAtMs: number;
  /** Missing where they were too large to be kept. */
  readonly branches: readonly LaneBranch[];
}

/** What {@link readForkedLanes} reads from. */
export interface ForkReading {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash">;
}

/** @throws HeddleError `HEDDLE_STORAGE_*`. */
export async function readForkedLanes(
  reading: ForkReading,
  document: DocumentId,
): Promise<readonly ForkedLane[]> {
  const forked: ForkedLane[] = [];
  for (const fork of await reading.store.readForks(document)) {
    const branches: LaneBranch[] = [];
    for (const kept of [fork.branchA, fork.branchB]) {
      if (kept.length > 0) branches.push(await branchOf(reading, fork, kept));
    }
    const { lane, seq, foundAtMs } = fork;
    const device = toHex(lane.devicePublicKey);
    forked.push({ document, lane: lane.id, device, seq, foundAtMs, branches });
  }
  return forked;
}

/**
 * The Yjs V1 updates of one branch, in order: from the log where it is logged, else what was kept of it.
 * Both branches may use one Yjs client, so a document shows one of them only: apply the other one to a
 * copy that does not hold the first.
 *
 * @param id as {@link LaneBranch} says it.
 * @returns `undefined` when the fork has no such branch.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function readBranch(
  reading: ForkReading,
  { document, lane, seq }: Pick<ForkedLane, "document" | "lane" | "seq">,
  id: string,
): Promise<readonly Uint8Array[] | undefined> {
  const forks = await reading.store.readForks(document);
  const fork = forks.find((each) => each.lane.id === lane && each.seq === seq);
  const opened = [fork?.branchA ?? [], fork?.branchB ?? []].map((kept) => openAll(reading, kept));
  const kept = opened.find(([first]) => first !== undefined && toHex(first.id) === id);
  if (fork === undefined || kept === undefined) return undefined;
  const updates: Uint8Array[] = [];
  for await (const envelope of logged(reading, fork)) {
    if (updates.length === 0 && toHex(envelope.id) !== id) break;
    if (envelope.codec === PayloadCodec.yjsV1) updates.push(envelope.payload.slice());
  }
  if (updates.length > 0) return updates;
  return kept
    .filter(({ codec }) => codec === PayloadCodec.yjsV1)
    .map(({ payload }) => payload.slice());
}

async function branchOf(
  reading: ForkReading,
  fork: KeptFork,
  kept: readonly Uint8Array[],
): Promise<LaneBranch> {
  const id = toHex(decodeEnvelope(reading.environment.hash, kept[0]!).id);
  const [envelopes, bytes] = [kept.length, kept.reduce((sum, { length }) => sum + length, 0)];
  let branch = { id, isLogged: false, envelopes, bytes };
  for await (const envelope of logged(reading, fork)) {
    if (!branch.isLogged && toHex(envelope.id) !== id) break;
    const before = branch.isLogged ? branch : { envelopes: 0, bytes: 0 };
    const sum = before.bytes + envelope.bytes.length;
    branch = { id, isLogged: true, envelopes: before.envelopes + 1, bytes: sum };
  }
  return branch;
}

/** What the log here holds of a lane from where its histories part; nothing where that was dropped. */
async function* logged(
  { store, environment: { hash } }: ForkReading,
  { document, lane, seq }: KeptFork,
): AsyncIterable<Envelope> {
  const range = { above: new Map([[lane.id, seq - 1]]), lane: lane.id };
  for await (const chunk of store.readLogByArrival(document, range)) {
    for (const stored of chunk) yield decodeEnvelope(hash, stored.bytes);
  }
}

function openAll({ environment }: ForkReading, branch: readonly Uint8Array[]): Envelope[] {
  return branch.map((bytes) => decodeEnvelope(environment.hash, bytes));
}
