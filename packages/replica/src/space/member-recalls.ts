import {
  decodeEnvelope,
  toHex,
  type DocumentId,
  type Hash,
  type LogStore,
  type RecalledEnvelope,
} from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import type { SpaceMembers } from "./space-members.ts";

/** Whether a recall is one of these. */
export function isUncounted(recall: RecalledEnvelope): boolean {
  return recall.reason === reason;
}

const reason = "its device may not write this, by the records of the space";

/**
 * Envelopes of a document that were taken before it was known that they do not count. They are not written
 * down as recalls: what the records say may change, and with it what counts.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function memberRecalls(
  store: LogStore,
  hash: Hash,
  members: SpaceMembers,
  document: DocumentId,
): Promise<readonly RecalledEnvelope[]> {
  const lanes = [...members.limitedLanes()];
  if (lanes.length === 0 || document === members.control.id) return [];
  const stored = await store.readDocument(document);
  if (stored === undefined) return [];
  const recalls: RecalledEnvelope[] = [];
  for (const lane of lanes) {
    if (!stored.dirty && !stored.vector.has(lane)) continue;
    const allowed = members.allowedSeq(document, lane);
    if (allowed === Infinity) continue;
    const above = new Map([[lane, allowed]]);
    for await (const chunk of store.readLogByArrival(document, { above, lane })) {
      for (const { seq, bytes } of chunk) {
        const id = toHex(decodeEnvelope(hash, bytes).id);
        recalls.push({ id, lane, seq, reason, validatorVersion, atMs: 0 });
      }
    }
  }
  return recalls;
}

/**
 * The store as documents of a space are read from it: what does not count is skipped like everything that
 * is recalled (DOC-9), and comes back when it counts.
 */
export function storeOfSpace(store: LogStore, hash: Hash, members: SpaceMembers): LogStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === "readRecalls") {
        return async (document: DocumentId): Promise<readonly RecalledEnvelope[]> => {
          const kept = await target.readRecalls(document);
          const derived = await memberRecalls(target, hash, members, document);
          const known = new Set(derived.map(({ id }) => id));
          return [...kept.filter(({ id }) => !known.has(id)), ...derived];
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
