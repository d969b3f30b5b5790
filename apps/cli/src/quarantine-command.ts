import { existsSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import path from "node:path";

import {
  decodeEnvelope,
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  isReleased,
  openSpaceId,
  parseDocumentName,
  type DocumentId,
  type LogStore,
  type QuarantinedUpdate,
  type RecalledEnvelope,
} from "@heddle/core";
import { mergeParsed, parseStored } from "@heddle/document";
import { readBranch, readForkedLanes } from "@heddle/replica";
import { nodeEnvironment, nodeHash } from "@heddle/replica/node";
import { markerName, openLevelStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { printRefusals, readRefusals } from "./inspect-refusals.ts";
import { openLogger } from "./logger.ts";
import { visibleText } from "./visible-text.ts";

export interface QuarantineListOptions {
  readonly json?: boolean;
}

export interface QuarantineReleaseOptions {
  readonly doc: string;
  /** Who says so; written beside what is released. */
  readonly by: string;
  readonly all?: boolean;
}

export interface QuarantineExportOptions {
  readonly doc: string;
  readonly out: string;
}

/**
 * `heddle quarantine list <data>`: everything that any document was spared, released or not, and both
 * histories of lanes that were written twice.
 */
export async function quarantineList(
  data: string,
  options: QuarantineListOptions,
  io: CommandIo,
): Promise<number> {
  return withStore(data, io, async (store) => {
    for await (const { id, name } of store.readDocuments()) {
      const refusals = await readRefusals(store, id);
      const { quarantine, recalled, forked } = refusals;
      if (quarantine.length + recalled.length + forked.length === 0) continue;
      if (options.json) io.out(JSON.stringify({ name, id, ...refusals }));
      else {
        io.out(visibleText(name));
        printRefusals(refusals, io);
      }
    }
    return 0;
  });
}

/**
 * `heddle quarantine release <data> [id...]`: what was recalled belongs to its document again, and what
 * was in quarantine is tried anew when somebody sends it. All of it in one batch: after a crash either
 * everything is released or nothing. No audit recalls a released envelope again.
 */
export async function quarantineRelease(
  data: string,
  ids: readonly string[],
  options: QuarantineReleaseOptions,
  io: CommandIo,
): Promise<number> {
  if ((ids.length === 0) === (options.all !== true)) {
    throw new HeddleError(HeddleErrorCode.configInvalid, "give ids, or --all");
  }
  return withStore(data, io, async (store) => {
    const document = idOf(options.doc);
    const refused = await refusedOf(store, document);
    const chosen = options.all ? refused.filter(isInForce) : ids.map((id) => find(refused, id));
    const nowMs = Date.now();
    const released = chosen.map((one) => {
      return Object.assign({}, one, {
        release: { atMs: Math.max(nowMs, one.atMs), by: options.by },
      });
    });
    if (released.length > 0) {
      await store.append({
        quarantine: released.flatMap((one) => {
          return isEnvelope(one) ? [] : [{ document, update: one }];
        }),
        recall: released.flatMap((one) => {
          return isEnvelope(one) ? [{ document, envelope: one }] : [];
        }),
      });
    }
    for (const one of released) {
      io.out(`released ${isEnvelope(one) ? "envelope" : "update"} ${one.id}`);
    }
    if (released.length === 0) io.out("nothing to release");
    return 0;
  });
}

/**
 * `heddle quarantine export <data> <id>`: the Yjs V1 update as it is kept, in a file of its own; of a
 * branch of a forked lane all of its updates, merged into one.
 */
export async function quarantineExport(
  data: string,
  id: string,
  options: QuarantineExportOptions,
  io: CommandIo,
): Promise<number> {
  return withStore(data, io, async (store) => {
    const document = idOf(options.doc);
    const update =
      (await branchOf(store, document, id)) ?? (await refusedBytes(store, document, id));
    // Never over a file that is there: whoever gave the name twice would lose the first one.
    const file = await openNew(options.out);
    try {
      await file.writeFile(update);
    } finally {
      await file.close();
    }
    io.out(`${update.length} bytes in ${options.out}`);
    return 0;
  });
}

/** A branch of a forked lane, by its id or the beginning of it; `undefined` when there is none. */
async function branchOf(
  store: LogStore,
  document: DocumentId,
  id: string,
): Promise<Uint8Array | undefined> {
  const reading = { store, environment: { hash: nodeHash } };
  for (const fork of await readForkedLanes(reading, document)) {
    const [branch, another] = fork.branches.filter((each) => each.id.startsWith(id.toLowerCase()));
    if (branch === undefined || another !== undefined || id.length < 8) continue;
    const updates = await readBranch(reading, fork, branch.id);
    return mergeParsed((updates ?? []).map((update) => parseStored(update)));
  }
  return undefined;
}

async function refusedBytes(
  store: LogStore,
  document: DocumentId,
  id: string,
): Promise<Uint8Array> {
  const one = find(await refusedOf(store, document), id);
  const update = isEnvelope(one) ? await payloadOf(store, document, one) : one.update;
  if (update !== undefined) return update;
  const message = `of ${one.id} only the note is kept, and not the bytes`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}

async function openNew(name: string): Promise<FileHandle> {
  try {
    return await open(name, "wx", 0o600);
  } catch (cause) {
    const message = `cannot make ${name}: ${(cause as NodeJS.ErrnoException).code}`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
  }
}

type Refused = QuarantinedUpdate | RecalledEnvelope;

function isEnvelope(one: Refused): one is RecalledEnvelope {
  return "seq" in one;
}

function isInForce(one: Refused): boolean {
  return !isReleased(one);
}

async function refusedOf(store: LogStore, document: DocumentId): Promise<readonly Refused[]> {
  return [...(await store.readQuarantine(document)), ...(await store.readRecalls(document))];
}

/** By its id or the beginning of it, as long as that is no other's too. */
function find(refused: readonly Refused[], id: string): Refused {
  const found = refused.filter((one) => one.id.startsWith(id.toLowerCase()));
  if (found.length === 1 && id.length >= 8) return found[0]!;
  const why = found.length > 1 ? "names more than one" : "names none of them";
  throw new HeddleError(HeddleErrorCode.configInvalid, `${JSON.stringify(id)} ${why}`);
}

async function payloadOf(
  store: LogStore,
  document: DocumentId,
  { lane, seq, id }: RecalledEnvelope,
): Promise<Uint8Array> {
  const before = new Map([[lane, { seq: seq - 1, head: new Uint8Array(32) }]]);
  for await (const chunk of store.readLog(document, before)) {
    for (const stored of chunk) {
      if (stored.lane === lane && stored.seq === seq) {
        return decodeEnvelope(nodeHash, stored.bytes).payload;
      }
    }
  }
  throw new HeddleError(HeddleErrorCode.storageCorrupt, `envelope ${id} is not in the log`);
}

function idOf(name: string): DocumentId {
  return documentIdOf(nodeHash, openSpaceId(nodeHash), parseDocumentName(name));
}

/** @throws HeddleError `HEDDLE_STORAGE_LOCKED` while a relay has the folder. */
async function withStore(
  data: string,
  io: CommandIo,
  task: (store: LogStore) => Promise<number>,
): Promise<number> {
  const directory = path.resolve(data);
  if (!existsSync(path.join(directory, markerName))) {
    const message = `${directory} is no data folder of a relay`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const store = await openLevelStore(directory, { environment });
  try {
    return await task(store);
  } finally {
    await store.close();
  }
}
