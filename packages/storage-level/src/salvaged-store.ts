import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

import {
  decodeEnvelope,
  equalBytes,
  isHeddleError,
  noEnvelopeId,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type LogBatch,
} from "@heddle/core";

import { decodeRuns, readArrival } from "./arrival-record.ts";
import type { Finding } from "./finding.ts";
import { openLevelDatabase, type Entry, type LogDatabase } from "./level-database.ts";
import {
  arrivalKeys,
  documentKeys,
  documentOfKey,
  envelopeKeys,
  envelopeKeysOf,
  isQuarantineUpdateKey,
  isVectorDigestKey,
  laneIxOfKey,
  laneKeys,
  numberOfKey,
  parkedKeys,
  quarantineKeys,
  vectorKeys,
  type KeyRange,
} from "./record-keys.ts";
import {
  readDocumentEntry,
  readEnvelopeBytes,
  readLane,
  readParkedRecord,
  readPosition,
} from "./records.ts";
import { readQuarantined, readRecall } from "./refusal-records.ts";
import { salvageLog } from "./salvage-log.ts";
import { logFolderName } from "./store-layout.ts";

/** The envelopes of a document that prove themselves, and what is known to be missing. */
export interface SalvagedDocument {
  /** Each lane from its first envelope on, without gaps, in the order of lanes. */
  readonly lanes: readonly SalvagedLane[];
}

export interface SalvagedLane {
  readonly lane: LaneDescriptor;
  readonly envelopes: readonly Envelope[];
  /** The highest seq that anything names; above the envelopes, something is missing. */
  readonly lastSeq: number;
}

/**
 * What is left of a store whose log is damaged, in a database of its own. The store itself is only read.
 */
export class SalvagedStore implements AsyncDisposable {
  readonly findings: readonly Finding[];
  /** Records that passed their checksum. */
  readonly records: number;
  readonly #database: LogDatabase;
  readonly #hash: Hash;
  readonly #workFolder: string;
  #named: Promise<NamedSeqs> | undefined;

  private constructor(
    database: LogDatabase,
    parts: { hash: Hash; workFolder: string; findings: readonly Finding[]; records: number },
  ) {
    this.#database = database;
    this.#hash = parts.hash;
    this.#workFolder = parts.workFolder;
    this.findings = parts.findings;
    this.records = parts.records;
  }

  /** @param workFolder is made, and removed again when the salvage is disposed of. */
  static async open(directory: string, workFolder: string, hash: Hash): Promise<SalvagedStore> {
    const findings: Finding[] = [];
    await rm(workFolder, { recursive: true, force: true });
    await mkdir(workFolder, { recursive: true, mode: 0o700 });
    const database = await openLevelDatabase(workFolder, { createIfMissing: true });
    const log = join(resolve(directory), logFolderName);
    const records = await salvageLog(log, database, (finding) => findings.push(finding));
    return new SalvagedStore(database, { hash, workFolder, findings, records });
  }

  async documents(): Promise<DocumentEntry[]> {
    return this.#all(documentKeys, readDocumentEntry);
  }

  async document(document: DocumentId): Promise<SalvagedDocument> {
    const descriptors = new Map<number, LaneDescriptor>();
    for await (const [key, record] of this.#entries(laneKeys)) {
      const lane = readable(() => readLane(this.#hash, key, record));
      if (lane) descriptors.set(laneIxOfKey(key), lane);
    }
    this.#named ??= this.#namedSeqs();
    const named = (await this.#named).get(document) ?? new Map<number, number>();
    const lanes = new Map<number, Envelope[]>([...named.keys()].map((laneIx) => [laneIx, []]));
    for await (const [key, record] of this.#entries(envelopeKeysOf(document))) {
      const laneIx = laneIxOfKey(key);
      const found = lanes.get(laneIx) ?? [];
      lanes.set(laneIx, found);
      named.set(laneIx, Math.max(named.get(laneIx) ?? 0, numberOfKey(key)));
      const { id: lane } = descriptors.get(laneIx) ?? {};
      const envelope = readable(() => decodeEnvelope(this.#hash, readEnvelopeBytes(key, record)));
      if (envelope && follows(found, envelope, { document, lane })) found.push(envelope);
    }
    return {
      lanes: [...lanes].flatMap(([laneIx, envelopes]) => {
        const lane = descriptors.get(laneIx);
        return lane ? [{ lane, envelopes, lastSeq: named.get(laneIx) ?? 0 }] : [];
      }),
    };
  }

  /** Documents that something names and whose own record is lost, and their name with it. */
  async namelessDocuments(): Promise<DocumentId[]> {
    this.#named ??= this.#namedSeqs();
    const nameless = new Set((await this.#named).keys());
    for (const { id } of await this.documents()) nameless.delete(id);
    return [...nameless];
  }

  /** Parked and quarantined updates, and recalls, of all documents; each as a batch of its own. */
  async *notes(): AsyncIterable<LogBatch> {
    for await (const [key, record] of this.#entries(parkedKeys)) {
      const document = documentOfKey(key);
      const parked = readable(() => readParkedRecord(key, record));
      if (parked) yield { park: [{ document, update: parked.update }] };
    }
    for await (const [key, record] of this.#entries(quarantineKeys)) {
      const document = documentOfKey(key);
      if (isQuarantineUpdateKey(key)) {
        const update = readable(() => readQuarantined(key, record));
        if (update) yield { quarantine: [{ document, update }] };
      } else {
        const envelope = readable(() => readRecall(key, record));
        if (envelope) yield { recall: [{ document, envelope }] };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
    await rm(this.#workFolder, { recursive: true, force: true });
  }

  /** What commit groups, kept vectors and keys of envelopes say was written. */
  async #namedSeqs(): Promise<NamedSeqs> {
    const named: NamedSeqs = new Map();
    const learn = (document: DocumentId, laneIx: number, seq: number): void => {
      const seqs = named.get(document) ?? new Map<number, number>();
      named.set(document, seqs.set(laneIx, Math.max(seqs.get(laneIx) ?? 0, seq)));
    };
    for await (const [key, record] of this.#entries(arrivalKeys)) {
      const runs = readable(() => decodeRuns(readArrival(key, record).runs)) ?? [];
      for (const { document, laneIx, toSeq } of runs) learn(document, laneIx, toSeq);
    }
    for await (const [key, record] of this.#entries(vectorKeys)) {
      if (isVectorDigestKey(key)) continue;
      const position = readable(() => readPosition(key, record));
      if (position) learn(documentOfKey(key), laneIxOfKey(key), position.seq);
    }
    for await (const [key] of this.#entries(envelopeKeys)) {
      learn(documentOfKey(key), laneIxOfKey(key), numberOfKey(key));
    }
    return named;
  }

  async #all<Value>(range: KeyRange, read: (...entry: Entry) => Value): Promise<Value[]> {
    const values: Value[] = [];
    for await (const [key, record] of this.#entries(range)) {
      const value = readable(() => read(key, record));
      if (value !== undefined) values.push(value);
    }
    return values;
  }

  async *#entries(range: KeyRange): AsyncIterable<Entry> {
    for await (const chunk of this.#database.entries(range)) yield* chunk;
  }
}

type NamedSeqs = Map<DocumentId, Map<number, number>>;

function follows(
  before: readonly Envelope[],
  { document, lane, seq, prev }: Envelope,
  place: { readonly document: DocumentId; readonly lane: LaneId | undefined },
): boolean {
  const last = before.at(-1);
  const isInPlace = document === place.document && lane === place.lane;
  return isInPlace && seq === before.length + 1 && equalBytes(prev, last?.id ?? noEnvelopeId);
}

/** Its checksum was right: what cannot be read all the same was written by a newer heddle. */
function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
