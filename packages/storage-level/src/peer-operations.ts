import { toHex, type LogBatch, type StoreId } from "@heddle/core";

import type { LaneAliases } from "./lane-aliases.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import { putAck, putCursor } from "./peer-records.ts";
import { ackKeysOf, cursorKey, peerKeys } from "./peer-keys.ts";

/** A word about a peer, or the end of all words about it. */
export type PeerChange =
  | { readonly store: StoreId; readonly put: Operation }
  | { readonly store: StoreId; readonly put?: undefined };

/** What a batch says about peers, in the order in which it takes effect. */
export function peerChangesOf(
  { forgetPeers = [], cursors = [], acks = [] }: LogBatch,
  lanes: LaneAliases,
): PeerChange[] {
  return [
    ...forgetPeers.map((store) => ({ store })),
    ...cursors.map((cursor) => ({ store: cursor.store, put: putCursor(cursor) })),
    ...acks.map((ack) => ({ store: ack.store, put: putAck(ack, lanes.ixOf(ack.lane)!) })),
  ];
}

/** What is written for `changes`; a peer that is forgotten loses also what the same group has said of it. */
export async function peerOperations(
  database: LogDatabase,
  changes: readonly PeerChange[],
): Promise<Operation[]> {
  const byStore = new Map<StoreId, Map<string, Operation>>();
  for (const { store, put } of changes) {
    const ofStore = byStore.get(store) ?? new Map<string, Operation>();
    byStore.set(store, ofStore);
    if (put) ofStore.set(toHex(put.key), put);
    else {
      const keys = [cursorKey(store), ...[...ofStore.values()].map(({ key }) => key)];
      for await (const chunk of database.entries(ackKeysOf(store))) {
        keys.push(...chunk.map(([key]) => key));
      }
      for (const key of keys) ofStore.set(toHex(key), { type: "del", key });
    }
  }
  const operations: Operation[] = [];
  for (const ofStore of byStore.values()) {
    for (const operation of ofStore.values()) operations.push(operation);
  }
  return operations;
}

/** Whatever this store heard from others is void once it is an older state of itself. */
export async function forgetAllPeers(database: LogDatabase): Promise<number> {
  let forgotten = 0;
  for (const range of peerKeys) {
    for await (const chunk of database.entries(range)) {
      await database.write(chunk.map(([key]) => ({ type: "del", key })));
      forgotten += chunk.length;
    }
  }
  return forgotten;
}
