// `npm run test:matrix`: the suite on other versions of Node, from the registry's own `node` packages.
//
//   npm run test:matrix                                  everything, on the newest 20, 22 and 24
//   npm run test:matrix -- --node 22,24 --project unit   of these, that
//   node scripts/matrix.mjs --report FOLDER              the table again, from what is in that folder
//
// Ends with a table, and with what was not run. Exit status 1 unless every version ran and passed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { matrixReport } from "./matrix-report.mjs";
import { build, install, root } from "./prepare.mjs";

const all = ["unit", "tidy", "integration", "interop", "simulation", "faults", "e2e", "hostile"];
const { values } = parseArgs({
  options: {
    node: { type: "string", default: "20,22,24" },
    project: { type: "string", multiple: true },
    report: { type: "string" },
  },
});
const projects = values.project ?? all;
const unknown = projects.filter((project) => !all.includes(project));
if (unknown.length > 0) {
  console.error(`no such project: ${unknown.join(", ")}; there are ${all.join(", ")}`);
  process.exit(2);
}
const folder = path.resolve(values.report ?? path.join(root, "test-results", "matrix"));
const runs = values.report ? readRuns() : runAll(values.node.split(","));
const { text, isGood } = matrixReport(runs, projects, all);
console.log(text);
process.exitCode = isGood ? 0 : 1;

function runAll(versions) {
  install();
  build();
  mkdirSync(folder, { recursive: true });
  const made = versions.map((version) => {
    const run = runOn(version);
    writeFileSync(runFile(version), JSON.stringify({ ...run, results: undefined }));
    return run;
  });
  writeFileSync(path.join(folder, "versions.json"), JSON.stringify(versions));
  return made;
}

function runOn(version) {
  const executable = nodeOf(version);
  if (executable.notRun) return { version, ...executable };
  const { file, exact } = executable;
  const output = resultsFile(version);
  rmSync(output, { force: true });
  console.log(`\nNode ${exact}: ${projects.join(", ")}`);
  const chosen = projects.flatMap((project) => ["--project", `${project}*`]);
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${output}`];
  spawnSync(file, ["node_modules/vitest/vitest.mjs", "run", ...chosen, ...reporters], {
    cwd: root,
    stdio: "inherit",
    // What tests start by the name `node` is that version too.
    env: { ...process.env, PATH: `${path.dirname(file)}${path.delimiter}${process.env.PATH}` },
  });
  if (!existsSync(output)) return { version, exact, notRun: "vitest left no results" };
  return { version, exact, results: JSON.parse(readFileSync(output, "utf8")) };
}

/** The newest of that line, fetched by npm and kept in its cache. */
function nodeOf(version) {
  const said = "JSON.stringify([process.execPath, process.version])";
  const args = ["--yes", "--package", `node@${version}`, "--", "node", "-p", said];
  const { status, stdout, stderr } = spawnSync("npx", args, { encoding: "utf8" });
  if (status !== 0) return { notRun: `npm has no node@${version}: ${lastLine(stderr)}` };
  const [file, exact] = JSON.parse(lastLine(stdout));
  return { file, exact };
}

function readRuns() {
  const versions = JSON.parse(readFileSync(path.join(folder, "versions.json"), "utf8"));
  return versions.map((version) => {
    const run = JSON.parse(readFileSync(runFile(version), "utf8"));
    if (run.notRun) return run;
    const results = JSON.parse(readFileSync(resultsFile(version), "utf8"));
    return Object.assign(run, { results });
  });
}

function runFile(version) {
  return path.join(folder, `${version}.json`);
}

function resultsFile(version) {
  return path.join(folder, `${version}-results.json`);
}

function lastLine(text) {
  return text.trim().split("\n").at(-1) ?? "";
}
