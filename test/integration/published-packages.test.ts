import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";
import { workspaces } from "../tidy/repository.ts";

// Goal: what is published can be imported, with its types, by whoever resolves modules as Node or a bundler does.
// Method: packs every package as npm would publish it, and asks publint and arethetypeswrong about the result.

const published = workspaces.filter(({ manifest }) => {
  return !(manifest as { readonly private?: boolean }).private;
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-packed-"));
  const workspaces = published.flatMap(({ directory }) => ["--workspace", directory]);
  const args = ["pack", "--ignore-scripts", "--pack-destination", folder, ...workspaces];
  await promisify(execFile)("npm", args, { cwd: repositoryFolder });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What cannot hold for ES modules, which all packages are: to be required, or found without `exports`. */
function isForEsModules(problem: Problem): boolean {
  const kind = "resolutionKind" in problem ? problem.resolutionKind : undefined;
  return kind !== "node10" && kind !== "node16-cjs";
}

test.each(published)("[CLT-10] $directory is packed as it has to be", async (workspace) => {
  const { manifest } = workspace;
  const { name, version } = manifest as { readonly name: string; readonly version: string };
  const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
  const tarball = await readFile(join(folder, file));
  const bytes = Uint8Array.from(tarball);
  const linted = await publint({ pack: { tarball: bytes.buffer }, strict: true });
  expect(linted.messages.map((message) => formatMessage(message, linted.pkg))).toEqual([]);
  // The command is not imported.
  if (manifest.exports === undefined) return;
  const checked = await checkPackage(createPackageFromTarballData(bytes));
  const problems = "problems" in checked ? checked.problems : [`${name} has no types`];
  expect(
    problems.filter((problem) => typeof problem === "string" || isForEsModules(problem)),
  ).toEqual([]);
});
