import {
  EnvelopeFlag,
  HeddleError,
  HeddleErrorCode,
  parseDocumentName,
  type DocumentId,
  type LogStore,
} from "@heddle/core";
import { decodeStateVector } from "@heddle/document";

import type { Replica } from "../replica.ts";

/**
 * Puts what a document shows, and so what a peer refused of it with all that this builds on, into
 * another one that has nothing yet. Nothing of the old document changes. Resolves when the copy is on
 * disk.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` for a name that is none, `HEDDLE_CONFIG_INVALID` when
 *   either document is not what it should be, `HEDDLE_UPDATE_*`, `HEDDLE_STORAGE_*`.
 */
export async function copyDocument(
  { replica, store }: { readonly replica: Replica; readonly store: LogStore },
  from: DocumentId,
  into: string,
): Promise<void> {
  const stored = await store.readDocument(from);
  if (stored === undefined) throw invalid("what was refused is of a document that is not here");
  const copy = await replica.acquire(parseDocumentName(into));
  try {
    const isNew = decodeStateVector(copy.encodeStateVector()).size === 0;
    if (!isNew) throw invalid(`${JSON.stringify(into)} is no new document`);
    const original = await replica.acquire(stored.name);
    try {
      await new Promise<void>((resolve, reject) => {
        const onJudged = (refusal?: HeddleError): void => (refusal ? reject(refusal) : resolve());
        const source = { flags: EnvelopeFlag.imported };
        if (copy.submit(original.encodeSince(), source, onJudged) !== "judging") resolve();
      });
    } finally {
      replica.release(original);
    }
    await copy.whenSettled();
  } finally {
    replica.release(copy);
  }
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
