import {
  decodeEnvelope,
  equalBytes,
  isHeddleError,
  logDigest,
  noEnvelopeId,
  type DocumentId,
  type LaneId,
} from "@heddle/core";

import { comparePlaces, readEnvelope, type ArrivalPlace } from "./envelope-record.ts";
import type { Finding } from "./finding.ts";
import type { Entry } from "./level-database.ts";
import { readFloor } from "./attribution-records.ts";
import { readCheckpointRecord, readChunk } from "./checkpoint-records.ts";
import { CheckpointChunks } from "./verify-checkpoints.ts";
import type { KeyRange } from "./key-writer.ts";
import {
  checkpointChunkKeys,
  checkpointKeys,
  dirtyKeys,
  documentKeys,
  envelopeKeys,
  floorKeys,
  vectorKeys,
} from "./key-ranges.ts";
import { documentOfKey, isVectorDigestKey, laneIxOfKey, numberOfKey } from "./parts-of-key.ts";
import { openRecord } from "./record-codec.ts";
import { readDocumentEntry, readPosition, readVectorDigest } from "./records.ts";
import type { VerifiedGroups } from "./verify-groups.ts";
import type { VerifiedLanes } from "./verify-lanes.ts";
import { checked, type RecordVerification } from "./record-verification.ts";

export interface VerifiedDocuments {
  readonly count: number;
  readonly envelopes: number;
}

/**
 * Walks entries, markers, vectors and envelopes side by side, all of them in the order of document
 * ids, and lets each vouch for the others and the change feed for all: what one of them names and
 * another has not, is lost.
 */
export async function verifyDocuments(
  verification: RecordVerification,
  lanes: VerifiedLanes,
  groups: VerifiedGroups,
): Promise<VerifiedDocuments> {
  const column = (range: KeyRange): Column => new Column(verification, range);
  const entries = column(documentKeys);
  const markers = column(dirtyKeys);
  const vectors = column(vectorKeys);
  const floors = column(floorKeys);
  const checkpoints = column(checkpointKeys);
  const chunks = column(checkpointChunkKeys);
  const envelopes = column(envelopeKeys);
  const columns = [entries, markers, vectors, floors, checkpoints, chunks, envelopes];
  const expected = new Set(groups.lastSeqs.keys());
  const totals = { count: 0, envelopes: 0 };
  for (;;) {
    const heads = await Promise.all(columns.map((column) => column.document()));
    const found = heads.filter((id): id is DocumentId => id !== undefined);
    const [document] = found.toSorted();
    if (document === undefined) break;
    expected.delete(document);
    totals.count++;
    const check = new DocumentCheck(verification, { document, lanes, groups });
    for await (const entry of entries.of(document)) check.entry(entry);
    for await (const entry of markers.of(document)) check.marker(entry);
    for await (const entry of vectors.of(document)) check.vector(entry);
    for await (const entry of floors.of(document)) check.floor(entry);
    for await (const entry of checkpoints.of(document)) check.checkpoint(entry);
    for await (const entry of chunks.of(document)) check.chunk(entry);
    for await (const entry of envelopes.of(document)) check.envelope(entry);
    totals.envelopes += check.finish();
  }
  for (const document of [...expected].toSorted()) {
    const check = new DocumentCheck(verification, { document, lanes, groups });
    check.finish();
  }
  return totals;
}

/** One kind of record, read document by document. */
class Column {
  readonly #verification: RecordVerification;
  readonly #entries: AsyncIterator<Entry>;
  #next: Entry | undefined;
  #hasNext = false;

  constructor(verification: RecordVerification, range: KeyRange) {
    this.#verification = verification;
    this.#entries = flatten(verification.database.entries(range))[Symbol.asyncIterator]();
  }

  async document(): Promise<DocumentId | undefined> {
    if (!this.#hasNext) {
      const { value, done } = await this.#entries.next();
      this.#next = done ? undefined : value;
      this.#hasNext = true;
    }
    return this.#next && documentOfKey(this.#next[0]);
  }

  async *of(document: DocumentId): AsyncIterable<Entry> {
    while ((await this.document()) === document) {
      const entry = this.#next!;
      this.#hasNext = false;
      await this.#verification.pace(entry[1].length);
      yield entry;
    }
  }
}

async function* flatten(chunks: AsyncIterable<readonly Entry[]>): AsyncIterable<Entry> {
  for await (const chunk of chunks) yield* chunk;
}

interface DocumentContext {
  readonly document: DocumentId;
  readonly lanes: VerifiedLanes;
  readonly groups: VerifiedGroups;
}

interface Position {
  readonly seq: number;
  readonly head: Uint8Array;
}

class DocumentCheck {
  readonly #verification: RecordVerification;
  readonly #context: DocumentContext;
  readonly #kept = new Map<number, Position>();
  readonly #inLog = new Map<number, Position | undefined>();
  readonly #floors = new Map<number, number>();
  /** The floor of a lane until its first envelope above it. */
  readonly #lastSeqs = new Map<number, number>();
  /** Where the last envelope of a lane stands among all that arrived. */
  readonly #places = new Map<number, ArrivalPlace>();
  readonly #checkpoints = new CheckpointChunks();
  #hasEntry = false;
  #isDirty = false;
  #isPruned = false;
  #digest: Uint8Array | undefined;
  #isKeptWhole = true;
  #envelopes = 0;

  constructor(verification: RecordVerification, context: DocumentContext) {
    this.#verification = verification;
    this.#context = context;
  }

  entry([key, record]: Entry): void {
    this.#hasEntry = true;
    this.#checked(key, () => readDocumentEntry(key, record));
  }

  marker([key, record]: Entry): void {
    this.#isDirty = true;
    this.#checked(key, () => openRecord(key, record));
  }

  vector([key, record]: Entry): void {
    if (isVectorDigestKey(key)) {
      this.#digest = this.#checked(key, () => readVectorDigest(key, record));
      this.#isKeptWhole &&= this.#digest !== undefined;
      return;
    }
    const position = this.#checked(key, () => readPosition(key, record));
    if (position) this.#kept.set(laneIxOfKey(key), position);
    else this.#isKeptWhole = false;
  }

  floor([key, record]: Entry): void {
    const floor = this.#checked(key, () => readFloor(key, record));
    this.#isPruned = true;
    if (floor === undefined) return;
    this.#lastSeqs.set(laneIxOfKey(key), floor);
    this.#floors.set(laneIxOfKey(key), floor);
  }

  checkpoint([key, record]: Entry): void {
    const checkpoint = this.#checked(key, () => readCheckpointRecord(key, record));
    this.#checkpoints.expect(key, checkpoint);
  }

  chunk([key, record]: Entry): void {
    this.#checked(key, () => readChunk(key, record));
    this.#checkpoints.count(key);
  }

  envelope([key, record]: Entry): void {
    const { hash } = this.#verification;
    const laneIx = laneIxOfKey(key);
    const seq = numberOfKey(key);
    const last = this.#lastSeqs.get(laneIx) ?? 0;
    const before = last === 0 ? { seq: 0, head: noEnvelopeId } : this.#inLog.get(laneIx);
    if (seq !== last + 1) this.#lost(laneIx, last + 1, seq - 1, "missing from the log");
    this.#lastSeqs.set(laneIx, seq);
    this.#inLog.set(laneIx, undefined);
    this.#envelopes++;
    try {
      const { bytes, place } = readEnvelope(key, record);
      const envelope = decodeEnvelope(hash, bytes);
      const { document } = this.#context;
      const isInPlace = envelope.document === document && envelope.lane === this.#laneOf(laneIx);
      if (!isInPlace || envelope.seq !== seq) {
        return this.#lost(laneIx, seq, seq, "overwritten by another envelope");
      }
      if (before && seq === last + 1 && !equalBytes(envelope.prev, before.head)) {
        return this.#lost(laneIx, seq, seq, "not the one that follows from the envelope before");
      }
      if (!this.#isInOrder(laneIx, place)) {
        return this.#lost(laneIx, seq, seq, "not in the order of its arrival");
      }
      const kept = this.#kept.get(laneIx);
      if (kept?.seq === seq && !equalBytes(kept.head, envelope.id)) {
        return this.#lost(laneIx, seq, seq, "not the one that the kept vector names");
      }
      this.#inLog.set(laneIx, { seq, head: envelope.id });
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#lost(laneIx, seq, seq, error.message);
    }
  }

  /** A lane arrives in its order, in groups that were written. */
  #isInOrder(laneIx: number, place: ArrivalPlace): boolean {
    const before = this.#places.get(laneIx);
    this.#places.set(laneIx, place);
    const { tail } = this.#context.groups;
    if (tail && place.group > tail.number) return false;
    return place.group === 0 ? !before?.group : !before || comparePlaces(before, place) < 0;
  }

  /** Returns how many envelopes there are. */
  finish(): number {
    const { document, groups } = this.#context;
    if (!this.#hasEntry) this.#report({ what: `the record of document ${document} is missing` });
    this.#checkVector();
    for (const what of this.#checkpoints.faults(this.#isPruned)) this.#report({ what });
    const named = groups.lastSeqs.get(document) ?? new Map<number, number>();
    const lanes = new Set([...named.keys(), ...this.#kept.keys(), ...this.#lastSeqs.keys()]);
    for (const laneIx of [...lanes].toSorted((a, b) => a - b)) {
      const last = this.#lastSeqs.get(laneIx) ?? 0;
      const expected = Math.max(named.get(laneIx) ?? 0, this.#kept.get(laneIx)?.seq ?? 0);
      if (last < expected)
        this.#lost(laneIx, last + 1, expected, "missing from the end of its lane");
      // What a repaired store had lost or dropped before never arrived in it.
      const arrived = Math.max(named.get(laneIx) ?? 0, this.#floors.get(laneIx) ?? 0);
      if (groups.isComplete && last > arrived) {
        this.#report({ what: `no commit group names envelope ${last} of lane ${laneIx}` });
      }
    }
    return this.#envelopes;
  }

  #checkVector(): void {
    const { document } = this.#context;
    if (this.#isDirty || !this.#isKeptWhole) return;
    const vector = new Map<LaneId, Position>();
    for (const [laneIx, position] of this.#kept) {
      const lane = this.#laneOf(laneIx);
      if (!lane) return this.#report({ what: `lane ${laneIx} of its kept vector is unknown` });
      vector.set(lane, position);
    }
    const digest = logDigest(this.#verification.hash, vector);
    if (this.#digest && equalBytes(this.#digest, digest)) return;
    const what = `a part of the kept vector of document ${document}, or its marker, is missing`;
    this.#report({ what });
  }

  #laneOf(laneIx: number): LaneId | undefined {
    return this.#context.lanes.byIx.get(laneIx);
  }

  #lost(laneIx: number, fromSeq: number, toSeq: number, why: string): void {
    const lane = this.#laneOf(laneIx);
    const { document } = this.#context;
    const which = fromSeq === toSeq ? `envelope ${fromSeq}` : `envelopes ${fromSeq} to ${toSeq}`;
    const where = `of lane ${lane ?? laneIx} in document ${document}`;
    this.#report({ what: `${which} ${where}: ${why}`, ...(lane && { lane }), fromSeq, toSeq });
  }

  #report(finding: Omit<Finding, "severity" | "part" | "document">): void {
    const { document } = this.#context;
    this.#verification.report({ severity: "damage", part: "document", document, ...finding });
  }

  #checked<Value>(key: Uint8Array, read: () => Value): Value | undefined {
    return checked(this.#verification.report, key, read);
  }
}
