import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { readGenerations } from "@heddle/reconcile";
import { openLevelProjectionStore } from "@heddle/storage-level";
import { inconsistenciesIn, lightProjections, readTotals, testEnvironment } from "@heddle/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";

const rounds = 4;
const [projection] = lightProjections;

let program: string;
let folder: string;

beforeAll(async () => {
  program = compileProgram("faults/projection-writer-program");
  folder = await mkdtemp(path.join(tmpdir(), "heddle-killed-projections-"));
});
afterAll(async () => {
  removePrograms();
  await rm(folder, { recursive: true, force: true });
});

// Goal: kill -9 leaves the projection that is read whole in itself, with all that was taken in.
// Method: a follower in another process, which begins with a rebuild, killed at a random moment of its work, again and
// again over the same folder; after each, rows, totals and markers of the live generation fit together.
test("[PRJ-3] [PRJ-8] [PRJ-9] a follower that is killed leaves rows, totals and markers of one moment", async () => {
  for (let round = 1; round <= rounds; round++) {
    const child = new ProgramProcess(program, [folder]);
    let taken = 0;
    while (taken < round * 3) taken = Number(await child.nextLine());
    child.kill();
    expect(await child.finish()).toBe("SIGKILL");
    taken = Number(child.rest.at(-1) ?? taken);

    const environment = testEnvironment("survey");
    const { store, setAside } = await openLevelProjectionStore(folder, { environment });
    expect(setAside).toBeUndefined();
    const { live } = await readGenerations(store, projection!.name);
    const generation = live!.id;
    const { hash } = environment;
    expect(await inconsistenciesIn(store, { projection: projection!, generation, hash })).toEqual(
      [],
    );
    const likes = (await readTotals(store, generation)).get("a/likes") as number;
    // Five documents say the number of the last edit: what was printed is there, and a batch or two more.
    expect(likes).toBeGreaterThanOrEqual(taken * 5);
    expect(store.counters.damagedReads).toBe(0);
    await store.close();
  }
});
