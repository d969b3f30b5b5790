import path from "node:path";

import {
  documentIdOf,
  isHeddleError,
  logDigest,
  openSpaceId,
  parseDocumentName,
  toHex,
  type DocumentId,
  type Environment,
  type LogStore,
  type StoredDocument,
} from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import { loadDocument } from "@heddle/replica";
import { nodeEnvironment, nodeHash } from "@heddle/replica/node";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { printCheckpoints, readCheckpoints, type Checkpoints } from "./inspect-checkpoints.ts";
import { correlationIdOf, showEdits } from "./inspect-edits.ts";
import { printRefusals, readRefusals, type Refusals } from "./inspect-refusals.ts";
import { openLogger } from "./logger.ts";
import { assertDataFolder } from "./verify-command.ts";
import { visibleText } from "./visible-text.ts";

export interface InspectOptions {
  readonly doc?: string;
  /** A correlation id in hexadecimal, or a W3C traceparent. */
  readonly edit?: string;
  readonly json?: boolean;
}

interface DocumentSummary extends Refusals, Checkpoints {
  readonly name: string;
  readonly id: string;
  readonly lanes: number;
  readonly envelopes: number;
  /** Of the envelopes, as stored. */
  readonly bytes: number;
  readonly parked: number;
  readonly dirty: boolean;
}

interface DamagedDocument {
  readonly id: DocumentId;
  /** Where its record could be read. */
  readonly name?: string;
  readonly error: string;
}

interface DocumentDetails extends DocumentSummary {
  readonly createdAt: string;
  /** Digests in hex: L of the log, S of the Yjs state, C of its content. */
  readonly digestL: string;
  readonly digestS: string;
  readonly digestC: string;
  readonly stateBytes: number;
  /** In the log and out of the document, because of recalls: the recalled ones and what builds on them. */
  readonly heldEnvelopes: number;
  readonly laneDetails: readonly { lane: string; seq: number; head: string }[];
}

/**
 * `heddle inspect <data> [--doc name | --edit id]`: what a store holds. Reads every envelope it counts,
 * with all checks. Documents with a damaged record are named, and make the exit status 1.
 */
export async function inspectCommand(
  data: string,
  options: InspectOptions,
  io: CommandIo,
): Promise<number> {
  const directory = path.resolve(data);
  assertDataFolder(directory);
  const edit = options.edit === undefined ? undefined : correlationIdOf(options.edit);
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const store = await openLevelStore(directory, { environment });
  try {
    if (edit !== undefined) return await showEdits(store, edit, options, io);
    if (options.doc !== undefined) {
      return await showDocument({ store, environment }, options.doc, options, io);
    }
    return await listDocuments(store, options, io);
  } finally {
    await store.close();
  }
}

async function listDocuments(
  store: LevelLogStore,
  options: InspectOptions,
  io: CommandIo,
): Promise<number> {
  const documents: DocumentSummary[] = [];
  const damaged: DamagedDocument[] = [];
  for (const id of await store.readDocumentIds()) {
    const document = await summariseOrSay(store, id);
    if ("error" in document) damaged.push(document);
    else documents.push(document);
  }
  const { storeId, opening } = store;
  const journal = await store.readJournal();
  const repairRequests = await store.readRepairRequests();
  if (options.json) {
    const history = { journal, repairRequests };
    const listed = { storeId, commitGroups: opening.lastArrival, documents, damaged, ...history };
    io.out(visibleText(JSON.stringify(listed)));
    return damaged.length === 0 ? 0 : 1;
  }
  io.out(`store ${storeId}: ${documents.length} documents, ${opening.lastArrival} commit groups`);
  for (const document of documents) {
    const { name, envelopes, bytes, lanes, parked } = document;
    const waiting = parked > 0 ? `, ${parked} parked` : "";
    io.out(
      `  ${visibleText(name)}  ${envelopes} envelopes in ${lanes} lanes, ${bytes} bytes${waiting}`,
    );
    printCheckpoints(document, io);
    printRefusals(document, io);
  }
  for (const { name, id, error } of damaged) {
    io.out(`  ${visibleText(name ?? "a document without a name")} (${id}) is damaged: ${error}`);
  }
  for (const { what } of repairRequests) io.out(`  damaged: ${what}`);
  for (const { event, atMs, detail } of journal.slice(-journalShown)) {
    io.out(`  ${new Date(atMs).toISOString()} ${event}: ${detail}`);
  }
  return damaged.length === 0 ? 0 : 1;
}

/** The newest lines of the journal that a person is shown; `--json` has all of them. */
const journalShown = 20;

/** One that is damaged is no reason to hide the others, nor what the store knows of itself. */
async function summariseOrSay(
  store: LevelLogStore,
  id: DocumentId,
): Promise<DocumentSummary | DamagedDocument> {
  let name: string | undefined;
  try {
    const document = await store.readDocument(id);
    name = document?.name;
    if (document) return await summarise(store, document);
    return { id, error: "its record is gone" };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    return { id, ...(name !== undefined && { name }), error: `${error.message} (${error.code})` };
  }
}

async function summarise(store: LogStore, document: StoredDocument): Promise<DocumentSummary> {
  const lanes = new Set<string>();
  let envelopes = 0;
  let bytes = 0;
  for await (const chunk of store.readLog(document.id)) {
    for (const stored of chunk) {
      lanes.add(stored.lane);
      envelopes++;
      bytes += stored.bytes.length;
    }
  }
  const parked = (await store.readParked(document.id)).length;
  const { name, id, dirty } = document;
  const refusals = await readRefusals(store, id);
  const checkpoints = await readCheckpoints(store, document);
  const counts = { lanes: lanes.size, envelopes, bytes, parked };
  return { name, id, ...counts, dirty, ...refusals, ...checkpoints };
}

interface OpenStore {
  readonly store: LogStore;
  readonly environment: Environment;
}

async function showDocument(
  { store, environment }: OpenStore,
  name: string,
  options: InspectOptions,
  io: CommandIo,
): Promise<number> {
  const id = documentIdOf(nodeHash, openSpaceId(nodeHash), parseDocumentName(name));
  const document = await store.readDocument(id);
  if (document === undefined) {
    io.err(`heddle: the store has no document ${visibleText(JSON.stringify(name))}`);
    return 1;
  }
  const details = await describe({ store, environment }, document);
  if (options.json) {
    io.out(visibleText(JSON.stringify(details)));
    return 0;
  }
  io.out(`${visibleText(details.name)} (${details.id}), created ${details.createdAt}`);
  io.out(
    `  ${details.envelopes} envelopes, ${details.bytes} bytes; state ${details.stateBytes} bytes`,
  );
  const { heldEnvelopes, parked } = details;
  if (heldEnvelopes + parked > 0) {
    io.out(`  ${heldEnvelopes} of the envelopes held aside, ${parked} updates parked`);
  }
  io.out(`  digest L ${details.digestL}`);
  io.out(`  digest S ${details.digestS}`);
  io.out(`  digest C ${details.digestC}`);
  for (const { lane, seq, head } of details.laneDetails) {
    io.out(`  lane ${lane} up to ${seq}, head ${head.slice(0, 16)}…`);
  }
  printCheckpoints(details, io);
  printRefusals(details, io);
  return 0;
}

async function describe(
  { store, environment }: OpenStore,
  document: StoredDocument,
): Promise<DocumentDetails> {
  const { positions, fold, heldEnvelopes } = await loadDocument(store, environment, document);
  const loaded = yjsEngine.fold([fold.encodeSince()]);
  try {
    return {
      ...(await summarise(store, document)),
      createdAt: new Date(document.createdAt.wallMs).toISOString(),
      digestL: toHex(logDigest(nodeHash, positions)),
      digestS: toHex(loaded.digestS(nodeHash)),
      digestC: toHex(loaded.digestC(nodeHash)),
      heldEnvelopes,
      stateBytes: loaded.encodeState().length,
      laneDetails: [...positions].map(([lane, { seq, head }]) => ({
        lane,
        seq,
        head: toHex(head),
      })),
    };
  } finally {
    loaded.destroy();
  }
}
