import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";

// Goal: what docs/from-y-websocket.md shows works as it stands there.
// Method: run it in a process of its own against a relay, twice over one folder, with the packages as built.
test("[CLT-1, CLT-2] the program of the page for y-websocket users runs as it is printed", async () => {
  const page = await readFile(path.join(repositoryFolder, "docs/from-y-websocket.md"), "utf8");
  const code = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  expect(code).toContain("new HeddleProvider(");
  // Below the root, so that the packages are found; where it runs is where its data is.
  const programs = path.join(repositoryFolder, "test-results", `from-y-websocket-${process.pid}`);
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-from-y-websocket-"));
  await using relay = await RelayProcess.start({ data: path.join(folder, "relay") });
  try {
    await mkdir(programs, { recursive: true });
    const program = path.join(programs, "provider.mjs");
    await writeFile(program, code);
    const env = { ...process.env, RELAY_URL: relay.url.replace("http", "ws") };
    const run = () => promisify(execFile)(process.execPath, [program], { cwd: folder, env });
    const said = /^saved: strict to send: (true|false)\nto send: 0\n$/;
    expect((await run()).stdout).toMatch(said);
    expect((await run()).stdout).toMatch(said);
  } finally {
    await rm(programs, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
});
