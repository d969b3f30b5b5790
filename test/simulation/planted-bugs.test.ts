import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { openLiveReplica } from "@heddle/replica";
import type { simulate, simulateMembers, SimulationReport } from "@heddle/testkit";
import { afterAll, describe, expect, test } from "vitest";

import { plantedBugs, type PlantedBug } from "./planted-bugs.ts";

// Goal: the simulator would have found it.
// Method: copy the built packages, plant one mistake, run seeds until one fails. Needs a build.

const root = fileURLToPath(new URL("../..", import.meta.url));
const seedsMax = 400;
const folder = mkdtempSync(path.join(os.tmpdir(), "heddle-planted-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }), 60_000);

describe("planted bugs", () => {
  test("what is planted in is sound without them", async () => {
    const simulateCopy = await copyWith("sound copy");
    expect((await simulateCopy({ seed: 1 })).broken).toBeUndefined();
  });

  test.each(plantedBugs)("[WIR-8] found: $name", async (bug) => {
    const simulatePlanted = await copyWith(bug.name, bug);
    const found = await firstBroken(simulatePlanted, bug);
    console.log(`${bug.name}: seed ${found?.seed}, ${found?.what.slice(0, 100)}`);
    expect(found, `not found in ${seedsMax} seeds`).toBeDefined();
  });
});

type Report = Pick<SimulationReport, "broken"> & Partial<Pick<SimulationReport, "incomplete">>;
type Simulate = (options: {
  readonly seed: number;
  readonly scenario?: PlantedBug["scenario"];
}) => Promise<Report>;

async function firstBroken(
  simulatePlanted: Simulate,
  { scenario = "light", fromSeed = 1 }: PlantedBug,
): Promise<{ readonly seed: number; readonly what: string } | undefined> {
  for (let seed = fromSeed; seed < fromSeed + seedsMax; seed++) {
    const what = await brokenIn(() => simulatePlanted({ seed, scenario }), scenario);
    if (what !== undefined) return { seed, what };
  }
  return undefined;
}

/** A broken promise, or a crash of what was planted in. */
async function brokenIn(run: () => Promise<Report>, scenario: string): Promise<string | undefined> {
  try {
    const { broken, incomplete = 0 } = await run();
    if (scenario === "sound" && incomplete > 0) return `[WIR-11] ${incomplete} effects early`;
    return broken;
  } catch (error) {
    return `it stops: ${String(error)}`;
  }
}

/** The built packages in a folder of their own, with the mistake in it. */
async function copyWith(name: string, bug?: PlantedBug): Promise<Simulate> {
  const modules = path.join(folder, name.replaceAll(/\W+/g, "-"), "node_modules");
  mkdirSync(path.join(modules, "@heddle"), { recursive: true });
  for (const dependency of ["lib0", "yjs", "vitest", "fast-check", "y-protocols"]) {
    symlinkSync(path.join(root, "node_modules", dependency), path.join(modules, dependency), "dir");
  }
  for (const workspace of ["core", "document", "sync", "reconcile", "replica", "testkit"]) {
    const from = path.join(root, "packages", workspace, "dist");
    const to = path.join(modules, "@heddle", workspace);
    cpSync(from, path.join(to, "dist"), { recursive: true, filter: isCode });
    // Not its own package.json: under the tests' conditions that leads back to the sources.
    const exports = { ".": "./dist/index.js", "./*": "./dist/*-index.js" };
    const manifest = { type: "module", exports };
    writeFileSync(path.join(to, "package.json"), JSON.stringify(manifest));
  }
  if (bug) plant(path.join(modules, "@heddle", bug.file), bug);
  const entryOf = (workspace: string) => path.join(modules, "@heddle", workspace, "dist/index.js");
  const testkit = (await import(pathToFileURL(entryOf("testkit")).href)) as Testkit;
  return async ({ seed, scenario }) => {
    const hasRules = scenario === "withheld";
    if (scenario !== "members" && !hasRules) {
      return testkit.simulate({ seed, ...(scenario && { scenario }) });
    }
    const replica = (await import(pathToFileURL(entryOf("replica")).href)) as Opener;
    return testkit.simulateMembers({ seed, hasRules, open: replica.openLiveReplica });
  };
}

interface Testkit {
  readonly simulate: typeof simulate;
  readonly simulateMembers: typeof simulateMembers;
}

interface Opener {
  readonly openLiveReplica: typeof openLiveReplica;
}

function isCode(file: string): boolean {
  return statSync(file).isDirectory() || file.endsWith(".js");
}

function plant(file: string, { find, replace }: PlantedBug): void {
  const parts = readFileSync(file, "utf8").split(find);
  expect(parts, `the patch no longer fits: ${find}`).toHaveLength(2);
  writeFileSync(file, parts.join(replace));
}
