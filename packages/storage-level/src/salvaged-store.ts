import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

import {
  decodeEnvelope,
  equalBytes,
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
import { readEnvelope, type ArrivalPlace } from "./envelope-record.ts";
import type { Finding } from "./finding.ts";
import { LaneAliases } from "./lane-aliases.ts";
import { openLevelDatabase, type Entry, type LogDatabase } from "./level-database.ts";
import type { KeyRange } from "./key-writer.ts";
import { forkKeys, refusedKeys } from "./peer-keys.ts";
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
} from "./record-keys.ts";
import { readDocumentEntry, readLane, readParkedRecord, readPosition } from "./records.ts";
import { readable } from "./readable.ts";
import { readFork, readRefused } from "./peer-records.ts";
import { readQuarantined, readRecall } from "./refusal-records.ts";
import { salvageLog } from "./salvage-log.ts";
import { readSalvagedBase, type SalvagedBase } from "./salvaged-base.ts";
import { logFolderName } from "./store-layout.ts";

/** The envelopes of a document that prove themselves, and what is known to be missing. */
export interface SalvagedDocument {
  /** In the order of lanes. */
  readonly lanes: readonly SalvagedLane[];
  /** What the envelopes stand on when earlier ones were dropped. */
  readonly base?: SalvagedBase | undefined;
}

export interface SalvagedLane {
  readonly lane: LaneDescriptor;
  /** Envelopes up to here are not in the log any more: the base stands for them. */
  readonly floor: number;
  /** From the first one above the floor on, without gaps. */
  readonly envelopes: readonly SalvagedEnvelope[];
  /** The highest seq that anything names; above the envelopes, something is missing. */
  readonly lastSeq: number;
}

export interface SalvagedEnvelope extends Envelope {
  /** Where it stood among all that had arrived. */
  readonly place: ArrivalPlace;
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
    const aliases = new LaneAliases();
    for await (const [key, record] of this.#entries(laneKeys)) {
      const lane = readable(() => readLane(this.#hash, key, record));
      if (!lane) continue;
      descriptors.set(laneIxOfKey(key), lane);
      aliases.set(lane.id, laneIxOfKey(key));
    }
    const place = { database: this.#database, hash: this.#hash, lanes: aliases };
    const base = await readSalvagedBase(place, document);
    this.#named ??= this.#namedSeqs();
    const named = new Map((await this.#named).get(document));
    for (const [lane, { seq }] of base?.vector ?? []) {
      const laneIx = aliases.ixOf(lane)!;
      named.set(laneIx, Math.max(named.get(laneIx) ?? 0, seq));
    }
    const found = new Map<number, SalvagedEnvelope[]>();
    for await (const [key, record] of this.#entries(envelopeKeysOf(document))) {
      const laneIx = laneIxOfKey(key);
      const { id: lane } = descriptors.get(laneIx) ?? {};
      const envelope = readable((): SalvagedEnvelope => {
        const { bytes, place } = readEnvelope(key, record);
        return { ...decodeEnvelope(this.#hash, bytes), place };
      });
      if (envelope?.document !== document || envelope.lane !== lane) continue;
      if (envelope.seq !== numberOfKey(key)) continue;
      const before = found.get(laneIx);
      if (before) before.push(envelope);
      else found.set(laneIx, [envelope]);
    }
    const lanes = [...named].flatMap(([laneIx, lastSeq]): SalvagedLane[] => {
      const lane = descriptors.get(laneIx);
      if (!lane) return [];
      return [{ lane, lastSeq, ...chainOf(found.get(laneIx) ?? [], lane.id, base) }];
    });
    return { lanes, base };
  }

  /** Documents that something names and whose own record is lost, and their name with it. */
  async namelessDocuments(): Promise<DocumentId[]> {
    this.#named ??= this.#namedSeqs();
    const nameless = new Set((await this.#named).keys());
    for (const { id } of await this.documents()) nameless.delete(id);
    return [...nameless];
  }

  /**
   * Parked and quarantined updates, recalls, forks and refusals by peers, of all documents; each as a
   * batch of its own. What this store heard of cursors and acknowledgements does not hold for another.
   */
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
    for await (const [key, record] of this.#entries(forkKeys)) {
      const fork = readable(() => readFork(this.#hash, key, record));
      if (fork) yield { forks: [fork] };
    }
    for await (const [key, record] of this.#entries(refusedKeys)) {
      const refused = readable(() => readRefused(key, record));
      if (refused) yield { refused: [refused] };
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

/** Envelopes that follow each other, from the floor on or, where that fails, from the checkpoint on. */
function chainOf(
  found: readonly SalvagedEnvelope[],
  lane: LaneId,
  base: SalvagedBase | undefined,
): Pick<SalvagedLane, "floor" | "envelopes"> {
  const covered = base?.vector.get(lane) ?? { seq: 0, head: noEnvelopeId };
  const floor = base?.floors.get(lane) ?? 0;
  if (floor < covered.seq) {
    // The id of the last one that was dropped is not known; that of the last one covered is.
    const envelopes = follow(found, floor, floor === 0 ? noEnvelopeId : undefined);
    const last = envelopes[covered.seq - floor - 1];
    if (last && equalBytes(last.id, covered.head)) return { floor, envelopes };
  }
  return { floor: covered.seq, envelopes: follow(found, covered.seq, covered.head) };
}

function follow(
  found: readonly SalvagedEnvelope[],
  after: number,
  head: Uint8Array | undefined,
): readonly SalvagedEnvelope[] {
  const chain: SalvagedEnvelope[] = [];
  let last = head;
  for (const envelope of found) {
    if (envelope.seq <= after) continue;
    const isNext = envelope.seq === after + chain.length + 1;
    if (!isNext || (last && !equalBytes(envelope.prev, last))) break;
    chain.push(envelope);
    last = envelope.id;
  }
  return chain;
}
