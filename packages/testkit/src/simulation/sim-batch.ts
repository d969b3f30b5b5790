import {
  bytesOfId,
  decodeCheckpoint,
  decodeCheckpointVector,
  decodeEnvelope,
  decodeHlc,
  decodeLane,
  documentId,
  encodeHlc,
  laneId,
  parseDocumentName,
  storeId,
  type CheckpointHeader,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type StoreId,
  type VersionVector,
} from "@heddle/core";
import type { FeedCursor, ForkProof, KeptAck } from "@heddle/sync";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/** What one append writes; there whole or not at all. */
export interface SimBatch {
  readonly store?: StoreId;
  readonly incarnation?: Uint8Array;
  readonly lanes?: readonly LaneDescriptor[];
  readonly documents?: readonly DocumentEntry[];
  readonly envelopes?: readonly Envelope[];
  readonly cursor?: { readonly store: StoreId; readonly cursor: FeedCursor };
  readonly checkpoint?: StoredSimCheckpoint;
  readonly acks?: readonly KeptAck[];
  readonly fork?: { readonly document: DocumentId; readonly proof: ForkProof };
}

/** Takes the place of the one before. Floors are lane to seq; positions below the vector rise to it. */
export interface StoredSimCheckpoint {
  readonly document: DocumentId;
  readonly checkpoint: SimCheckpoint;
  readonly floors: ReadonlyMap<LaneId, number>;
}

export interface SimCheckpoint {
  readonly header: CheckpointHeader;
  readonly vector: VersionVector;
  /** The vector as its header hashes it. */
  readonly vectorBytes: Uint8Array;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array();

export function encodeBatch(batch: SimBatch): Uint8Array {
  const { cursor, fork, checkpoint: stored } = batch;
  return encoding.encode((encoder) => {
    const bytes = (part: Uint8Array) => encoding.writeVarUint8Array(encoder, part);
    const list = (parts: readonly Uint8Array[] = []) => {
      encoding.writeVarUint(encoder, parts.length);
      for (const part of parts) bytes(part);
    };
    bytes(batch.store ? bytesOfId(batch.store) : nothing);
    bytes(batch.incarnation ?? nothing);
    list(batch.lanes?.map((lane) => lane.bytes));
    list(batch.documents?.map(encodeEntry));
    list(batch.envelopes?.map((envelope) => envelope.bytes));
    bytes(cursor ? bytesOfId(cursor.store) : nothing);
    bytes(cursor?.cursor.incarnation ?? nothing);
    encoding.writeVarUint(encoder, cursor?.cursor.arrival ?? 0);
    bytes(fork ? bytesOfId(fork.document) : nothing);
    bytes(fork?.proof.lane.bytes ?? nothing);
    list(fork?.proof.branchA.map((envelope) => envelope.bytes));
    list(fork?.proof.branchB.map((envelope) => envelope.bytes));
    bytes(stored?.checkpoint.header.bytes ?? nothing);
    bytes(stored?.checkpoint.vectorBytes ?? nothing);
    bytes(stored?.checkpoint.payload ?? nothing);
    encoding.writeVarUint(encoder, stored?.floors.size ?? 0);
    for (const [lane, seq] of stored?.floors ?? []) {
      bytes(bytesOfId(lane));
      encoding.writeVarUint(encoder, seq);
    }
    list(batch.acks?.map(encodeAck));
  });
}

export function decodeBatch(hash: Hash, record: Uint8Array): SimBatch {
  const decoder = decoding.createDecoder(record);
  const envelopesIn = () => readList(decoder, (bytes) => decodeEnvelope(hash, bytes));
  const raw = { store: readBytes(decoder), incarnation: readBytes(decoder) };
  const lanes = readList(decoder, (bytes) => decodeLane(hash, bytes));
  const documents = readList(decoder, decodeEntry);
  const envelopes = envelopesIn();
  const cursorStore = readBytes(decoder);
  const incarnation = readBytes(decoder);
  const arrival = decoding.readVarUint(decoder);
  const forkOf = readBytes(decoder);
  const forkLane = readBytes(decoder);
  const [branchA, branchB] = [envelopesIn(), envelopesIn()];
  const checkpoint = readCheckpoint(hash, decoder);
  const acks = readList(decoder, decodeAck);
  return {
    ...(raw.store.length > 0 && { store: storeId(raw.store) }),
    ...(raw.incarnation.length > 0 && { incarnation: raw.incarnation }),
    lanes,
    documents,
    envelopes,
    ...(cursorStore.length > 0 && {
      cursor: { store: storeId(cursorStore), cursor: { incarnation, arrival } },
    }),
    acks,
    ...(checkpoint && { checkpoint }),
    ...(forkOf.length > 0 && {
      fork: {
        document: documentId(forkOf),
        proof: { lane: decodeLane(hash, forkLane), branchA, branchB },
      },
    }),
  };
}

function readCheckpoint(hash: Hash, decoder: decoding.Decoder): StoredSimCheckpoint | undefined {
  const [raw, vectorBytes, payload] = [
    readBytes(decoder),
    readBytes(decoder),
    readBytes(decoder),
  ] as const;
  const count = decoding.readVarUint(decoder);
  const floors = new Map<LaneId, number>();
  for (let index = 0; index < count; index++) {
    const lane = laneId(readBytes(decoder));
    floors.set(lane, decoding.readVarUint(decoder));
  }
  if (raw.length === 0) return undefined;
  const header = decodeCheckpoint(hash, raw);
  const { vector } = decodeCheckpointVector([vectorBytes]);
  return {
    document: header.document,
    checkpoint: { header, vector, vectorBytes, payload },
    floors,
  };
}

function encodeAck(ack: KeptAck): Uint8Array {
  return encoding.encode((encoder) => {
    for (const id of [ack.store, ack.document, ack.lane]) {
      encoding.writeVarUint8Array(encoder, bytesOfId(id));
    }
    encoding.writeVarUint8Array(encoder, ack.incarnation);
    encoding.writeUint8(encoder, ack.isRelay ? 1 : 0);
    encoding.writeVarUint(encoder, ack.seq);
    encoding.writeVarUint8Array(encoder, ack.head ?? nothing);
  });
}

function decodeAck(bytes: Uint8Array): KeptAck {
  const decoder = decoding.createDecoder(bytes);
  const store = storeId(readBytes(decoder));
  const document = documentId(readBytes(decoder));
  const lane = laneId(readBytes(decoder));
  const incarnation = readBytes(decoder);
  const isRelay = decoding.readUint8(decoder) === 1;
  const seq = decoding.readVarUint(decoder);
  const head = readBytes(decoder);
  const ack = { store, document, lane, incarnation, isRelay, seq };
  return { ...ack, head: head.length > 0 ? head : undefined };
}

function encodeEntry({ id, name, createdAt }: DocumentEntry): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, bytesOfId(id));
    encoding.writeUint8Array(encoder, encodeHlc(createdAt));
    encoding.writeVarString(encoder, name);
  });
}

function decodeEntry(bytes: Uint8Array): DocumentEntry {
  const decoder = decoding.createDecoder(bytes);
  const id = documentId(decoding.readUint8Array(decoder, 16));
  const createdAt = decodeHlc(decoding.readUint8Array(decoder, 8));
  return { id, createdAt, name: parseDocumentName(decoding.readVarString(decoder)) };
}

function readBytes(decoder: decoding.Decoder): Uint8Array {
  return decoding.readVarUint8Array(decoder).slice();
}

function readList<Item>(decoder: decoding.Decoder, read: (bytes: Uint8Array) => Item): Item[] {
  const count = decoding.readVarUint(decoder);
  return Array.from({ length: count }, () => read(readBytes(decoder)));
}
