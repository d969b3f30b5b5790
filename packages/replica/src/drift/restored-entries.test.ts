import {
  HeddleError,
  HybridClock,
  openSpaceId,
  parseDocumentName,
  type LogStore,
} from "@heddle/core";
import { testDocument, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { DocumentAccess } from "../document-access.ts";
import { RestoredEntries } from "./restored-entries.ts";

// Goal: a document that is damaged otherwise costs its store no more for who opens it again and again.
// Method: a store that counts how often a document is surveyed, and time that moves by hand.

test("[DRF-11] a document with a whole record is surveyed once in a minute, whoever says its name, and never for another", async () => {
  const environment = testEnvironment("restored entries");
  const entry = testDocument(environment, "notes");
  let surveys = 0;
  const surveyDocument: LogStore["surveyDocument"] = async (document) => {
    surveys++;
    return { document, entry, lanes: [], checkpoints: [], isVectorLost: false, others: [] };
  };
  const store = { surveyDocument } as LogStore;
  const restored = new RestoredEntries({
    options: { store, environment, signer: environment.signer },
    space: openSpaceId(environment.hash),
    clock: new HybridClock(environment.clock),
    access: new DocumentAccess(),
  });
  const damage = new HeddleError("HEDDLE_STORAGE_CORRUPT", "an envelope is damaged");
  const open = async (name: string): Promise<void> => {
    const read = () => Promise.reject(damage);
    await expect(restored.reading(entry.id, parseDocumentName(name), read)).rejects.toBe(damage);
  };
  await open("plans");
  expect(surveys).toBe(0);
  for (let time = 0; time < 3; time++) await open("notes");
  expect(surveys).toBe(1);
  environment.clock.advance(60_001);
  await open("notes");
  expect(surveys).toBe(2);
});
