import type { CheckpointRecord } from "./checkpoint-records.ts";
import { checkpointNumberOfKey, chunkKindOfKey } from "./parts-of-key.ts";
import { ChunkKind } from "./record-keys.ts";

interface Counted {
  record: CheckpointRecord | undefined;
  vectorChunks: number;
  stateChunks: number;
}

/** Checkpoints of one document with their chunks: each has as many as it says. */
export class CheckpointChunks {
  readonly #byNumber = new Map<number, Counted>();

  expect(key: Uint8Array, record: CheckpointRecord | undefined): void {
    this.#counted(key).record = record;
  }

  count(key: Uint8Array): void {
    const counted = this.#counted(key);
    if (chunkKindOfKey(key) === ChunkKind.vector) counted.vectorChunks++;
    else counted.stateChunks++;
  }

  /** @param isPruned the log begins above a floor, so that a checkpoint has to be there. */
  faults(isPruned: boolean): string[] {
    const faults: string[] = [];
    for (const [number, { record, vectorChunks, stateChunks }] of this.#byNumber) {
      if (record?.vectorChunks === vectorChunks && record.stateChunks === stateChunks) continue;
      faults.push(`a part of checkpoint ${number} is missing`);
    }
    if (isPruned && this.#byNumber.size === 0) faults.push("its checkpoint is missing");
    return faults;
  }

  #counted(key: Uint8Array): Counted {
    const number = checkpointNumberOfKey(key);
    const counted = this.#byNumber.get(number) ?? {
      record: undefined,
      vectorChunks: 0,
      stateChunks: 0,
    };
    this.#byNumber.set(number, counted);
    return counted;
  }
}
