import {
  decodeEnvelope,
  toHex,
  withSignature,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type LogStore,
  type Signer,
} from "@heddle/core";

import type { KnownLanes } from "./known-lanes.ts";
import type { RecentEnvelopes } from "./recent-envelopes.ts";

export interface PeerReading {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly signer: Signer;
  readonly lanes: KnownLanes;
  /** What another device has not signed here may be signed elsewhere. */
  readonly signed?: (envelope: Envelope, lane: LaneDescriptor) => Promise<Envelope>;
  /** Looked at before the disk. */
  readonly recent?: RecentEnvelopes;
}

export interface PeerRange {
  readonly document: DocumentId;
  /** Seqs after which to begin; lanes that are missing begin at their floor. */
  readonly above: ReadonlyMap<LaneId, number>;
  readonly lane?: LaneId;
  /** Of lanes that have more: how far, at least. Without it only the disk can say. */
  readonly upTo?: ReadonlyMap<LaneId, number>;
  /** Nothing beyond these seqs, and of no other lanes: what lies behind them cannot be read. */
  readonly reach?: ReadonlyMap<LaneId, number>;
  /** About so many bytes. */
  readonly bytesMax: number;
  /** Lanes of which no more counts than up to a seq: what lies above is nobody's. */
  readonly counted?: ReadonlyMap<LaneId, number>;
}

export interface ReadForPeer {
  readonly envelopes: readonly Envelope[];
  readonly lanes: ReadonlyMap<LaneId, LaneDescriptor>;
}

/** What one signature of ours covers at most, so that whoever gets it can pass it on in one PUSH. */
const signedMax = { envelopes: 48, bytes: 64 * 1024 } as const;

/**
 * Envelopes of a document in the order of their arrival, every stretch of a lane ending with a
 * signature. Envelopes of this device are written without any; they are signed when somebody asks for
 * them, whichever process wrote them. What another device has not signed is left out, for there is
 * nobody who would take it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function readForPeer(reading: PeerReading, range: PeerRange): Promise<ReadForPeer> {
  const { document, above, lane, upTo, reach, bytesMax, counted } = range;
  const stretches = new Stretches(reading);
  const recent = upTo && reading.recent?.read({ document, above, upTo, bytesMax });
  for (const envelope of recent ?? []) {
    if (counts(envelope, counted)) await stretches.add(envelope);
  }
  if (recent) return stretches.end();
  let bytes = 0;
  for await (const chunk of reading.store.readLogByArrival(document, {
    above,
    lane,
    upTo: reach,
  })) {
    for (const stored of chunk) {
      if (!counts(stored, counted)) continue;
      await stretches.add(decodeEnvelope(reading.hash, stored.bytes));
      bytes += stored.bytes.length;
      if (bytes >= bytesMax && stretches.isSigned) return stretches.end();
    }
  }
  return stretches.end();
}

function counts(
  { lane, seq }: Pick<Envelope, "lane" | "seq">,
  counted: PeerRange["counted"],
): boolean {
  return seq <= (counted?.get(lane) ?? Infinity);
}

class Stretches {
  readonly #reading: PeerReading;
  readonly #ours: string;
  readonly #lanes = new Map<LaneId, LaneDescriptor>();
  readonly #envelopes: Envelope[] = [];
  /** Of other devices, and not signed yet. */
  readonly #unsigned = new Map<LaneId, Envelope[]>();
  /** How much at the end of `envelopes` is ours and not signed. */
  #open = 0;
  #openBytes = 0;

  constructor(reading: PeerReading) {
    this.#reading = reading;
    this.#ours = toHex(reading.signer.devicePublicKey);
  }

  /** What was added can be given away, or be made so. */
  get isSigned(): boolean {
    return this.#unsigned.size === 0;
  }

  async add(envelope: Envelope): Promise<void> {
    const lane = await this.#laneOf(envelope.lane);
    if (this.#envelopes.at(-1)?.lane !== envelope.lane) await this.#sign();
    if (toHex(lane.devicePublicKey) !== this.#ours) {
      const { signed } = this.#reading;
      return this.#addTheirs(
        signed && !envelope.signature ? await signed(envelope, lane) : envelope,
      );
    }
    this.#envelopes.push(envelope);
    this.#open++;
    this.#openBytes += envelope.bytes.length;
    if (envelope.signature) this.#close();
    const isFull = this.#open >= signedMax.envelopes || this.#openBytes >= signedMax.bytes;
    if (isFull) await this.#sign();
  }

  async end(): Promise<ReadForPeer> {
    await this.#sign();
    return { envelopes: this.#envelopes, lanes: this.#lanes };
  }

  #addTheirs(envelope: Envelope): void {
    const run = [...(this.#unsigned.get(envelope.lane) ?? []), envelope];
    this.#unsigned.delete(envelope.lane);
    if (envelope.signature) this.#envelopes.push(...run);
    else this.#unsigned.set(envelope.lane, run);
  }

  async #sign(): Promise<void> {
    const last = this.#envelopes.at(-1);
    if (this.#open === 0 || last === undefined) return;
    const signature = await this.#reading.signer.sign(last.id);
    this.#envelopes[this.#envelopes.length - 1] = withSignature(last, signature);
    this.#close();
  }

  #close(): void {
    this.#open = 0;
    this.#openBytes = 0;
  }

  async #laneOf(id: LaneId): Promise<LaneDescriptor> {
    const lane = this.#lanes.get(id) ?? (await this.#reading.lanes.get(id));
    this.#lanes.set(id, lane);
    return lane;
  }
}
