import type {
  DocumentId,
  KeptFork,
  PeerAck,
  PeerCursor,
  RefusedEnvelope,
  StoreId,
} from "@heddle/core";

import type { OpenLog } from "./open-log.ts";
import { readAck, readCursor, readFork, readRefused } from "./peer-records.ts";
import { damaged } from "./record-codec.ts";
import { documentOfKey } from "./parts-of-key.ts";
import {
  ackKeysOf,
  cursorKeys,
  documentOfAckKey,
  forkKeys,
  forkKeysOf,
  laneIxOfAckKey,
  refusedKeys,
  refusedKeysOf,
} from "./peer-keys.ts";

/** Reads of what is kept about other stores. */

export async function readCursors({ database }: OpenLog): Promise<readonly PeerCursor[]> {
  const cursors: PeerCursor[] = [];
  for await (const chunk of database.entries(cursorKeys)) {
    for (const [key, record] of chunk) cursors.push(readCursor(key, record));
  }
  return cursors;
}

export async function* readAcks(
  { database, lanes }: OpenLog,
  store: StoreId,
): AsyncIterable<readonly PeerAck[]> {
  for await (const chunk of database.entries(ackKeysOf(store))) {
    yield chunk.map(([key, record]) => {
      const lane = lanes.idOf(laneIxOfAckKey(key));
      if (!lane) throw damaged(key, `its lane ${laneIxOfAckKey(key)} is unknown`);
      return { store, document: documentOfAckKey(key), lane, seq: readAck(key, record) };
    });
  }
}

export async function readForks(
  { database, hash }: OpenLog,
  document: DocumentId,
): Promise<readonly KeptFork[]> {
  const forks: KeptFork[] = [];
  for await (const chunk of database.entries(forkKeysOf(document))) {
    for (const [key, record] of chunk) forks.push(readFork(hash, key, record));
  }
  return forks;
}

/** One look per document: branches are large, and are not read. */
export async function* readForkedDocuments({
  database,
}: OpenLog): AsyncIterable<readonly DocumentId[]> {
  for (let { gte, lt } = forkKeys; ;) {
    const key = await database.lastKey({ gte, lt });
    if (key === undefined) return;
    const document = documentOfKey(key);
    yield [document];
    lt = forkKeysOf(document).gte;
  }
}

export async function* readAllRefused(
  { database }: OpenLog,
  document: DocumentId | undefined,
): AsyncIterable<readonly RefusedEnvelope[]> {
  const range = document === undefined ? refusedKeys : refusedKeysOf(document);
  for await (const chunk of database.entries(range)) {
    yield chunk.map(([key, record]) => readRefused(key, record));
  }
}
