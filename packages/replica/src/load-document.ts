import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  PayloadCodec,
  type DocumentEntry,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type StoredDocument,
} from "@heddle/core";
import { DocumentKnowledge, parseUpdate, UpdateFold } from "@heddle/document";

import { Parking } from "./parking.ts";
import type { LoadedLog } from "./replica-document.ts";
import { walkLog } from "./walk-log.ts";

/**
 * Reads a document from its log into memory, without a Y.Doc. A document that the store has never
 * heard of loads empty, and stays unknown to the store until something is written.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the log does not prove itself.
 */
export async function loadDocument(
  store: LogStore,
  environment: Environment,
  entry: DocumentEntry,
): Promise<LoadedLog> {
  const stored = await store.readDocument(entry.id);
  const positions = new Map<LaneId, LanePosition>();
  const knowledge = new DocumentKnowledge();
  const fold = new UpdateFold();
  if (stored) await readInto({ store, environment, document: stored, positions, knowledge, fold });
  const parking = new Parking(environment, stored ? await store.readParked(entry.id) : []);
  const isStored = stored !== undefined;
  const hasNewPositions = stored?.dirty ?? false;
  return { entry, isStored, hasNewPositions, positions, knowledge, fold, parking };
}

interface Reading {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly document: StoredDocument;
  readonly positions: Map<LaneId, LanePosition>;
  readonly knowledge: DocumentKnowledge;
  readonly fold: UpdateFold;
}

async function readInto(reading: Reading): Promise<void> {
  const { store, environment, document, positions, knowledge, fold } = reading;
  for await (const envelope of walkLog({ store, hash: environment.hash, document, positions })) {
    if (envelope.codec !== PayloadCodec.yjsV1) continue;
    try {
      const update = parseUpdate(envelope.payload);
      knowledge.learn(update);
      fold.append(update);
    } catch (cause) {
      if (!isHeddleError(cause)) throw cause;
      const { lane, seq } = envelope;
      const message = `envelope ${seq} of lane ${lane} in document ${document.id} holds no valid update`;
      throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
    }
  }
}
