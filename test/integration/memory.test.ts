import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";

const documents = 10_000;
const megabyte = 1024 * 1024;
/** From Node 24 on what dies young is given room for twice over, and RSS would only tell how much that was. */
const smallYoungSpace = ["env", "NODE_OPTIONS=--max-semi-space-size=8"];
let program: string;

beforeAll(() => {
  program = compileProgram("integration/documents-in-turn-program");
});
afterAll(removePrograms);

// Goal: a document that nobody uses costs no memory at all, however many there have been.
// Method: a process of its own opens 10,000 documents in turn on LevelDB, changes each and leaves it, and says
// what it holds before and after, each time after collections. What a document takes while it is open
// is some 10 KB, so that a leak of a tenth of it, in the heap or beside it, is over the bar.
test("[CKP-11] 10,000 documents opened in turn end where they began", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-memory-"));
  try {
    const child = new ProgramProcess(program, [folder, String(documents)], smallYoungSpace);
    const [before, after] = [await child.nextLine(), await child.nextLine()].map((line) => {
      return JSON.parse(line ?? "null") as { inUse: number; rss: number };
    });
    expect(await child.finish()).toBeNull();
    expect(after!.inUse - before!.inUse).toBeLessThan(6 * megabyte);
    // LevelDB's caches fill up meanwhile, and the allocator keeps holes.
    expect(after!.rss - before!.rss).toBeLessThan(64 * megabyte);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
