import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";

import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import { readDeviceKey } from "@heddle/replica/node";
import {
  deviceKeyName,
  logFolderName,
  readWitness,
  snapshotLog,
  verifyStore,
  type Finding,
} from "@heddle/storage-level";
import { testEnvironment, testHash } from "@heddle/testkit";

import { surveyStore } from "./store-survey.ts";

// Verifies and then surveys one folder after the other, and prints a line for each half: damage can make
// LevelDB abort its process, and a test outlives that only from outside. Arguments: document names, a
// dash, folders.
const separator = process.argv.indexOf("-");
const names = process.argv.slice(2, separator);
for (const folder of process.argv.slice(separator + 1)) {
  console.log(JSON.stringify({ verified: await verify(folder) }));
  const survey = await surveyStore(folder, testEnvironment("survey"), names);
  console.log(JSON.stringify({ survey }));
}

async function verify(folder: string): Promise<Finding[]> {
  const snapshot = await mkdtemp(`${folder}-snapshot-`);
  const witness = await readWitness(folder);
  const findings: Finding[] = [];
  try {
    await snapshotLog(path.join(folder, logFolderName), snapshot, "symlink");
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
    return [{ severity: "damage", part: "manifest", what: error.message }];
  }
  await verifyStore({
    folder,
    snapshot,
    witness,
    hash: testHash,
    deviceFile: readDeviceKey(path.join(folder, deviceKeyName)),
    report: (finding) => findings.push(finding),
    pace: async () => undefined,
    onStage: () => undefined,
  });
  await rm(snapshot, { recursive: true });
  return findings;
}
