import { writeId, type DocumentId } from "@heddle/core";

import { headBytes } from "./arrival-record.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import { viewOf } from "./uint32.ts";

/** That some record says: this document has this envelope. */
export interface NamedEnvelope {
  readonly laneIx: number;
  readonly seq: number;
  /** First bytes of its id. */
  readonly head: Uint8Array;
}

/** No key of a salvaged record is that long. */
const prefix = 0xff;
const batchMax = 4096;

/**
 * What commit groups and kept vectors say was written, by document, in the salvage's own database:
 *
 *   key := 0xff • document 16 • laneIx 4 • seq 8; value := head 8
 */
export class SalvagedNames {
  readonly #database: LogDatabase;
  #batch: Operation[] = [];

  constructor(database: LogDatabase) {
    this.#database = database;
  }

  async add(document: DocumentId, { laneIx, seq, head }: NamedEnvelope): Promise<void> {
    const key = new Uint8Array(29);
    key[0] = prefix;
    writeId(document, key, 1);
    viewOf(key).setUint32(17, laneIx);
    viewOf(key).setBigUint64(21, BigInt(seq));
    this.#batch.push({ type: "put", key, value: Uint8Array.from(head.subarray(0, headBytes)) });
    if (this.#batch.length >= batchMax) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length > 0) await this.#database.write(batch);
  }

  async of(document: DocumentId): Promise<NamedEnvelope[]> {
    const gte = new Uint8Array(17);
    gte[0] = prefix;
    writeId(document, gte, 1);
    const lt = Uint8Array.of(...gte, ...new Uint8Array(13).fill(0xff));
    const named: NamedEnvelope[] = [];
    for await (const chunk of this.#database.entries({ gte, lt })) {
      for (const [key, head] of chunk) {
        const view = viewOf(key);
        named.push({ laneIx: view.getUint32(17), seq: Number(view.getBigUint64(21)), head });
      }
    }
    return named;
  }
}
