import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { repositoryFolder } from "../processes/relay-process.ts";
import { StoreFolder } from "./store-survey.ts";

const rounds = 12;
const file = path.join(repositoryFolder, "../shared/data/editing-traces/automerge-paper.json.gz");
const isThere = existsSync(file);
if (!isThere) {
  const message = `no editing traces in ${file}`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
}
let program: string;

beforeAll(() => {
  program = compileProgram("faults/live-typist-program");
});
afterAll(removePrograms);

// Goal: "saved" is true, and a kill costs what was typed within one window.
// Method: a process types a recorded session into a live document and is killed at a random moment, again
// and again over the same folder; after each, the document is exactly a prefix of the session that
// holds everything of which "saved" was said.
test.skipIf(!isThere)(
  "[LIV-9] kill -9 takes nothing that was saved, and of the rest at most a window",
  async () => {
    await using place = await StoreFolder.make();
    const typist = new Typist();
    let savedMax = 0;
    for (let round = 1; round <= rounds; round++) {
      const child = new ProgramProcess(program, [place.folder, file]);
      expect(await child.nextLine()).toMatch(/^open \d+$/);
      setTimeout(() => child.kill(), 200 + Math.random() * 1_500);
      expect(await child.finish()).toBe("SIGKILL");
      const lines = child.rest.filter((line) => /^(typed \d+ \d{13}|saved \d+)$/.test(line));
      const saved = lines.flatMap((line) =>
        line.startsWith("saved") ? Number(line.slice(6)) : [],
      );
      savedMax = Math.max(savedMax, ...saved);
      const { typed, text } = await readBack(place.folder);
      expect(typed).toBeGreaterThanOrEqual(savedMax);
      expect(text === typist.textAfter(typed)).toBe(true);
      const times = lines.flatMap((line) => (line.startsWith("typed") ? [line.split(" ")] : []));
      const lost = times.filter(([, number]) => Number(number) > typed);
      const lastMs = Number(times.at(-1)?.[2] ?? 0);
      // A window is half a second; the rest is for a disk and processors that others use as well.
      for (const [, , ms] of lost) expect(lastMs - Number(ms)).toBeLessThan(5_000);
    }
    expect(savedMax).toBeGreaterThan(0);
  },
);

async function readBack(folder: string): Promise<{ typed: number; text: string }> {
  await using replica = await openReplica({ store: levelStore(folder) });
  const { ydoc } = await replica.open("trace");
  const typed = ydoc.getMap<number>("progress").get("typed") ?? 0;
  return { typed, text: ydoc.getText("text").toJSON() };
}

/** The session typed into a plain string, from the beginning to wherever it is asked for. */
class Typist {
  readonly #txns: readonly { readonly patches: readonly (readonly [number, number, string])[] }[];
  #typed = 0;
  #text = "";

  constructor() {
    this.#txns = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")).txns;
  }

  textAfter(typed: number): string {
    for (; this.#typed < typed; this.#typed++) {
      for (const [at, deleted, inserted] of this.#txns[this.#typed]!.patches) {
        this.#text = this.#text.slice(0, at) + inserted + this.#text.slice(at + deleted);
      }
    }
    return this.#text;
  }
}
