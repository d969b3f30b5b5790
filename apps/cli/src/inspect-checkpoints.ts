import {
  decodeCheckpoint,
  toHex,
  type DocumentHistory,
  type LogStore,
  type StoredDocument,
} from "@heddle/core";
import { nodeHash } from "@heddle/replica/node";

import type { CommandIo } from "./command-io.ts";

/** What lies below the log of a document, as `heddle inspect` shows it. */
export interface Checkpoints {
  readonly history: DocumentHistory;
  /** Newest first. */
  readonly checkpoints: readonly CheckpointDetails[];
  /** Envelopes that were dropped, and how many records say who wrote them. */
  readonly pruned: number;
  readonly attributions: number;
}

interface CheckpointDetails {
  readonly number: number;
  readonly id: string;
  readonly at: string;
  readonly engine: string;
  readonly lanes: number;
  /** Of the state: as stored, and inflated. */
  readonly payloadBytes: number;
  readonly stateBytes: number;
  readonly digestL: string;
  readonly digestS: string;
  readonly digestC: string;
}

export async function readCheckpoints(
  store: LogStore,
  { id, history = "keep" }: StoredDocument,
): Promise<Checkpoints> {
  const stored = await store.readCheckpoints(id);
  const floors = await store.readFloors(id);
  return {
    history,
    checkpoints: stored.map(({ number, header: bytes }) => {
      const header = decodeCheckpoint(nodeHash, bytes);
      const { engine, lanes, payloadBytes, stateBytes } = header;
      return {
        number,
        id: toHex(header.id),
        at: new Date(header.builtAt.wallMs).toISOString(),
        engine,
        lanes,
        payloadBytes,
        stateBytes,
        digestL: toHex(header.digestL),
        digestS: toHex(header.digestS),
        digestC: toHex(header.digestC),
      };
    }),
    pruned: [...floors.values()].reduce((sum, floor) => sum + floor, 0),
    attributions: (await store.readAttributions(id)).length,
  };
}

export function printCheckpoints(found: Checkpoints, io: CommandIo): void {
  for (const { number, at, payloadBytes, stateBytes, lanes, digestS } of found.checkpoints) {
    io.out(
      `    checkpoint ${number} at ${at}: ${lanes} lanes, ${payloadBytes} bytes, ${stateBytes} inflated, S ${digestS.slice(0, 16)}…`,
    );
  }
  if (found.pruned > 0) {
    io.out(`    ${found.pruned} envelopes pruned, attributed in ${found.attributions} records`);
  }
}
