import type { Hash } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { ByteWriter } from "./byte-writer.ts";
import { writeDeletes } from "./delete-set.ts";
import type { ClientDeletes } from "./parsed-update.ts";
import { encodeStateVector } from "./state-vector.ts";

const domain = encodeUtf8("heddle/state/1");

/**
 * Digest S: SHA-256 over domain • state vector • deletes, both with clients descending, the deletes
 * ascending and merged. Replicas compare it, so its input is fixed by the domain's number.
 */
export function digestState(
  hash: Hash,
  clocks: Iterable<readonly [number, number]>,
  deletes: readonly ClientDeletes[],
): Uint8Array {
  const vector = encodeStateVector(clocks);
  const writer = new ByteWriter(1024);
  writer.slice(domain, 0, domain.length);
  writer.slice(vector, 0, vector.length);
  writeDeletes(
    writer,
    deletes.toSorted((a, b) => b.client - a.client),
  );
  return hash.sha256(writer.finish());
}
