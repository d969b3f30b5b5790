import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";

// Goal: what the README shows works as it stands there.
// Method: run it in a process of its own, twice over one folder, with the packages as they were built.
test("[LIV-6] the README's way to embed a replica runs as it is printed", async () => {
  const readme = await readFile(path.join(repositoryFolder, "README.md"), "utf8");
  const [, section = ""] = readme.split("## Embed it");
  const code = /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  expect(code).toContain("openReplica");
  // Below the root, so that the packages are found; where it runs is where its data is.
  const programs = path.join(repositoryFolder, "test-results", `readme-${process.pid}`);
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-readme-"));
  try {
    await mkdir(programs, { recursive: true });
    const program = path.join(programs, "embed.mjs");
    await writeFile(program, code);
    const run = () => promisify(execFile)(process.execPath, [program], { cwd: folder });
    const once = "Imported: on disk, ";
    expect((await run()).stdout).toBe(`saved ${once}\n`);
    expect((await run()).stdout).toBe(`saved ${once}${once}\n`);
  } finally {
    await rm(programs, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
});
