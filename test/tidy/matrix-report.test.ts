import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, expect, test } from "vitest";

// Goal: `npm run test:matrix` never calls a version good that did not run, or that failed somewhere.
// Method: the script, over results as vitest writes them.

const folder = mkdtempSync(path.join(tmpdir(), "heddle-matrix-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, ...statuses: readonly string[]) => ({
  name: `/somewhere/${name}`,
  status: statuses.includes("failed") || statuses.length === 0 ? "failed" : "passed",
  assertionResults: statuses.map((status, at) => ({ status, fullName: `test ${at}` })),
});

function report(runs: Readonly<Record<string, object>>, ...projects: readonly string[]) {
  writeFileSync(path.join(folder, "versions.json"), JSON.stringify(Object.keys(runs)));
  for (const [version, run] of Object.entries(runs)) {
    const { results, ...rest } = run as { readonly results?: unknown };
    writeFileSync(path.join(folder, `${version}.json`), JSON.stringify({ version, ...rest }));
    writeFileSync(path.join(folder, `${version}-results.json`), JSON.stringify(results ?? null));
  }
  const chosen = projects.flatMap((project) => ["--project", project]);
  const args = ["scripts/matrix.mjs", "--report", folder, ...chosen];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, lines: stdout.trim().split("\n") };
}

const good = {
  exact: "v22.1.0",
  results: {
    success: true,
    testResults: [
      file("packages/core/src/lane.test.ts", "passed", "passed"),
      file("test/tidy/imports.test.ts", "passed", "skipped"),
    ],
  },
};

test("counts by version and project, and says what was skipped and what was not asked for", () => {
  const { status, lines } = report({ "22": good }, "unit", "tidy");
  expect(status).toBe(0);
  expect(lines).toEqual([
    "| Node | project | passed | failed | skipped |",
    "|---|---|---|---|---|",
    "| v22.1.0 | unit | 2 | 0 | 0 |",
    "| v22.1.0 | tidy | 1 | 0 | 1 |",
    "NOT RUN: test/tidy/imports.test.ts: 1 of 2 tests (v22.1.0)",
    "NOT RUN: integration, interop, simulation, faults, e2e, hostile: not asked for",
    "all that was run passed on every version",
  ]);
});

test("a test that fails, a file that does not load and an error outside of tests are failures", () => {
  const testResults = [
    file("packages/core/src/lane.test.ts", "passed", "failed"),
    file("packages/core/src/ids.test.ts"),
  ];
  const bad = { exact: "v24.1.0", results: { success: false, testResults } };
  const outside = { exact: "v20.1.0", results: { ...good.results, success: false } };
  const { status, lines } = report({ "24": bad, "20": outside }, "unit");
  expect(status).toBe(1);
  expect(lines).toEqual(
    expect.arrayContaining([
      "| v24.1.0 | unit | 1 | 2 | 0 |",
      "FAILED: v24.1.0: packages/core/src/lane.test.ts: test 1",
      "FAILED: v24.1.0: packages/core/src/ids.test.ts as a whole",
      "FAILED: v20.1.0: errors outside of tests; see the output above",
      "not every version is good",
    ]),
  );
});

test("a version that could not run, and a project of which nothing ran, are not good", () => {
  const absent = report({ "22": good, "99": { notRun: "npm has no node@99: 404" } }, "unit");
  expect(absent.status).toBe(1);
  expect(absent.lines).toContain("| 99 | all | not run | | |");
  expect(absent.lines).toContain("NOT RUN: everything: npm has no node@99: 404 (99)");
  expect(report({ "22": good }, "unit", "hostile").status).toBe(1);
});
