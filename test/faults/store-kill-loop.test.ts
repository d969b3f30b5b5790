import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { decodeEnvelope } from "@heddle/core";
import {
  logFolderName,
  openLevelStore,
  readWitness,
  snapshotLog,
  verifyStore,
  type Finding,
} from "@heddle/storage-level";
import { collectLog, testDocument, testEnvironment, testHash } from "@heddle/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { batchOf, documentNames, envelopesPerBatch } from "./store-writer-batches.ts";

// Goal: however often a writer is killed, nothing acknowledged is lost, no batch is there in part, and
// nothing in the store contradicts anything else.
// Method: kill -9 at a random moment, open, read, verify all of it; several stores at a time, each killed
// five times. HEDDLE_KILL_ROUNDS=5000 is the recorded run.

const rounds = Number(process.env["HEDDLE_KILL_ROUNDS"] ?? 100);
const roundsPerStore = 5;
const storesAtATime = 2;
/** A killed process takes nothing from the page cache: memory is as good as a disk, and much quicker. */
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const environment = testEnvironment("kill loop");
let program: string;

beforeAll(() => {
  program = compileProgram("faults/kill-writer-program");
});
afterAll(removePrograms);

test(
  `[STO-1][STO-2][STO-7][STO-9] survives ${rounds} rounds of kill -9, verified after each`,
  { timeout: 60_000 + rounds * 3_000 },
  async () => {
    const totals = { rounds: 0, acknowledged: 0, lost: 0, halves: 0, damages: 0, rollbacks: 0 };
    let left = rounds;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        const count = Math.min(left, roundsPerStore);
        left -= count;
        await killRepeatedly(count, totals);
        // A recorded run takes a quarter of an hour, and says where it is.
        if (rounds > 1_000) console.log(JSON.stringify(totals));
      }
    };
    await Promise.all(Array.from({ length: storesAtATime }, worker));
    console.table(totals);
    expect(totals).toMatchObject({ rounds, lost: 0, halves: 0, damages: 0, rollbacks: 0 });
    expect(totals.acknowledged).toBeGreaterThan(rounds);
  },
);

interface Totals {
  rounds: number;
  acknowledged: number;
  lost: number;
  halves: number;
  damages: number;
  rollbacks: number;
}

async function killRepeatedly(count: number, totals: Totals): Promise<void> {
  const folder = await mkdtemp(path.join(place, "heddle-kills-"));
  const acknowledged = new Set<string>();
  try {
    for (let round = 1; round <= count; round++) {
      for (const batch of await writeUntilKilled(folder)) acknowledged.add(batch);
      totals.damages += (await damagesIn(folder)).length;
      const store = await openLevelStore(folder, { environment });
      totals.rollbacks += store.opening.rollback ? 1 : 0;
      const held = new Map<string, number>();
      for (const name of documentNames) {
        for (const { bytes } of await collectLog(store, testDocument(environment, name).id)) {
          const { batch } = batchOf(decodeEnvelope(testHash, bytes).payload)!;
          held.set(batch, (held.get(batch) ?? 0) + 1);
        }
      }
      await store.close();
      totals.lost += [...acknowledged].filter((batch) => !held.has(batch)).length;
      totals.halves += [...held.values()].filter((number) => number !== envelopesPerBatch).length;
      totals.rounds++;
    }
    totals.acknowledged += acknowledged.size;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function writeUntilKilled(folder: string): Promise<string[]> {
  const child = new ProgramProcess(program, [folder]);
  expect(await child.nextLine()).toBe("open");
  // The moment is drawn, not the work: while lanes are opened, between two syncs, in the middle of one.
  setTimeout(() => child.kill(), Math.random() * 40);
  expect(await child.finish()).toBe("SIGKILL");
  // The last line may have been cut by the kill.
  const whole = child.rest.filter((line) => /^acknowledged [0-9a-f]{32} \d+$/.test(line));
  return whole.map((line) => line.slice("acknowledged ".length));
}

async function damagesIn(folder: string): Promise<Finding[]> {
  const snapshot = await mkdtemp(path.join(place, "heddle-kills-view-"));
  const witness = await readWitness(folder);
  const findings: Finding[] = [];
  try {
    await snapshotLog(path.join(folder, logFolderName), snapshot, "symlink");
    await verifyStore({
      folder,
      snapshot,
      witness,
      hash: testHash,
      report: (finding) => findings.push(finding),
      pace: async () => undefined,
      onStage: () => undefined,
    });
  } finally {
    await rm(snapshot, { recursive: true });
  }
  return findings.filter(({ severity }) => severity === "damage");
}
