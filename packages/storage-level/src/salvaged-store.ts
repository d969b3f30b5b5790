import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

import type { DocumentId, Envelope, Hash, LogBatch, Verifier } from "@heddle/core";

import type { Finding } from "./finding.ts";
import { openLevelDatabase, type LogDatabase } from "./level-database.ts";
import { forkKeys, refusedKeys } from "./peer-keys.ts";
import { readFork, readRefused } from "./peer-records.ts";
import { readAudit } from "./audit-records.ts";
import {
  auditKeys,
  checkpointKeys,
  dirtyKeys,
  documentKeys,
  envelopeKeys,
  envelopeKeysOf,
  floorKeys,
  parkedKeys,
  quarantineKeys,
  vectorKeys,
} from "./key-ranges.ts";
import { documentOfKey, isQuarantineUpdateKey } from "./parts-of-key.ts";
import { readParkedRecord } from "./records.ts";
import { readable } from "./readable.ts";
import { readQuarantined, readRecall } from "./refusal-records.ts";
import { SalvageDatabase } from "./salvage-database.ts";
import { SalvageFindings } from "./salvage-findings.ts";
import { salvageLog, salvageSetAside } from "./salvage-log.ts";
import type { SalvagedRef } from "./salvaged-chain.ts";
import {
  readSalvagedDocument,
  readSalvagedEnvelope,
  type SalvagedDocument,
  type SalvageTools,
} from "./salvaged-document.ts";
import { readSalvagedHistory, type SalvagedHistory } from "./salvaged-history.ts";
import { SalvagedLanes } from "./salvaged-lanes.ts";
import { SalvagedNames } from "./salvaged-names.ts";
import { logFolderName, quarantineFolderName } from "./store-layout.ts";
import { readWitness } from "./witness.ts";

export interface SalvageOptions {
  readonly hash: Hash;
  readonly verifier: Verifier;
}

/**
 * What is left of a store whose log is damaged, in a database of its own. The store itself is only read.
 * In memory are the ids of documents and lanes, and of one document at a time where its envelopes are.
 */
export class SalvagedStore implements AsyncDisposable {
  /** The first thousand of what was found. */
  readonly findings: readonly Finding[];
  /** All that was found and means that something is, or may be, lost. */
  readonly damages: number;
  /** Records that passed their checksum. */
  readonly records: number;
  readonly history: SalvagedHistory;
  /** All that anything names. */
  readonly documents: readonly DocumentId[];
  readonly #tools: SalvageTools;
  readonly #workFolder: string;

  private constructor({ found, tools }: Salvaged, workFolder: string) {
    this.findings = found.findings;
    this.damages = found.damages;
    this.records = found.records;
    this.history = found.history;
    this.documents = found.documents;
    this.#tools = tools;
    this.#workFolder = workFolder;
  }

  /**
   * @param workFolder does not exist yet; removed again when the salvage is disposed of.
   * @throws HeddleError `HEDDLE_STORAGE_IO` or `HEDDLE_STORAGE_FULL` when the disk refuses.
   */
  static async open(
    directory: string,
    workFolder: string,
    options: SalvageOptions,
  ): Promise<SalvagedStore> {
    await mkdir(workFolder, { mode: 0o700 });
    const staged = await openLevelDatabase(workFolder, { createIfMissing: true });
    try {
      return new SalvagedStore(await salvage(resolve(directory), staged, options), workFolder);
    } catch (error) {
      await staged.close();
      throw error;
    }
  }

  document(document: DocumentId): Promise<SalvagedDocument> {
    return readSalvagedDocument(this.#tools, document);
  }

  envelope(ref: SalvagedRef): Promise<Envelope> {
    return readSalvagedEnvelope(this.#tools, ref);
  }

  /**
   * Parked and quarantined updates, recalls, forks, refusals by peers, and the audit journal; each as a
   * batch of its own. What this store heard of cursors and acknowledgements does not hold for another.
   */
  async *notes(): AsyncIterable<LogBatch> {
    const { database, hash } = this.#tools;
    for await (const [[key, record]] of database.entries(parkedKeys)) {
      const document = documentOfKey(key);
      const parked = readable(() => readParkedRecord(key, record));
      if (parked) yield { park: [{ document, update: parked.update }] };
    }
    for await (const [[key, record]] of database.entries(quarantineKeys)) {
      const document = documentOfKey(key);
      if (isQuarantineUpdateKey(key)) {
        const update = readable(() => readQuarantined(key, record));
        if (update) yield { quarantine: [{ document, update }] };
      } else {
        const envelope = readable(() => readRecall(key, record));
        if (envelope) yield { recall: [{ document, envelope }] };
      }
    }
    for await (const [[key, record]] of database.entries(forkKeys)) {
      const fork = readable(() => readFork(hash, key, record));
      if (fork) yield { forks: [fork] };
    }
    for await (const [[key, record]] of database.entries(refusedKeys)) {
      const refused = readable(() => readRefused(key, record));
      if (refused) yield { refused: [refused] };
    }
    for await (const [[key, record]] of database.entries(auditKeys)) {
      const entry = readable(() => readAudit(key, record));
      if (entry) yield { audit: [entry.bytes] };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tools.database.close();
    await rm(this.#workFolder, { recursive: true, force: true });
  }
}

/** Each of them is written with or after the record of its document, which may be the one that is lost. */
const ofDocuments = [documentKeys, vectorKeys, dirtyKeys, parkedKeys, checkpointKeys, floorKeys];

interface Salvaged {
  readonly found: Pick<SalvagedStore, "findings" | "damages" | "records" | "history" | "documents">;
  readonly tools: SalvageTools;
}

async function salvage(
  folder: string,
  staged: LogDatabase,
  { hash, verifier }: SalvageOptions,
): Promise<Salvaged> {
  const findings = new SalvageFindings();
  const database = new SalvageDatabase(staged);
  await salvageLog(join(folder, logFolderName), database, findings);
  await salvageSetAside(join(folder, quarantineFolderName), database, findings);
  const names = new SalvagedNames(staged);
  const documents = new Set<DocumentId>();
  for (const range of ofDocuments) {
    for await (const [[key]] of database.entries(range)) documents.add(documentOfKey(key));
  }
  await findDocuments(database, documents);
  const witness = await readWitness(folder);
  const history = await readSalvagedHistory(
    { database, names, hash, findings },
    documents,
    witness,
  );
  const lanes = await SalvagedLanes.load(database, hash, verifier);
  const records = await database.count();
  const { list, damages } = findings;
  const found = { findings: list, damages, records, history, documents: [...documents].toSorted() };
  return { found, tools: { database, names, lanes, hash } };
}

/** Those of envelopes, from one document to the next. */
async function findDocuments(database: SalvageDatabase, documents: Set<DocumentId>): Promise<void> {
  let { gte } = envelopeKeys;
  for (;;) {
    let next: DocumentId | undefined;
    for await (const { key, isFound } of database.versions({ gte, lt: envelopeKeys.lt })) {
      if (isFound) continue;
      next = documentOfKey(key);
      documents.add(next);
      break;
    }
    if (next === undefined) return;
    gte = envelopeKeysOf(next).lt;
  }
}
