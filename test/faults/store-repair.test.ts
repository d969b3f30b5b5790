import { cp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { logFolderName, readWitness, witnessName, writeWitness } from "@heddle/storage-level";
import { seededRandom } from "@heddle/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runHeddle } from "../processes/heddle-command.ts";
import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { StoreFolder } from "./store-survey.ts";
import { checkpoint, inStore, prune, textIn, TypedText } from "./written-store.ts";

// Goal: repair saves what the damaged store would still serve, and more; nothing that was never written is
// in what it saves; and it says that all is well only when all is there.
// Method: one store with everything in it, damaged in every way that files are, at places drawn from a
// seed; the repaired texts are compared with what was typed and with what the damaged store serves.

const names = ["plain", "second", "checkpointed", "pruned"];
const random = seededRandom("repair");
const draw = (below: number): number => {
  return new DataView(random.bytes(4).buffer).getUint32(0) % below;
};

let place: StoreFolder;
let base: string;
let texts: readonly TypedText[];

beforeAll(async () => {
  place = await StoreFolder.makeQuick();
  base = path.join(place.folder, "base");
  texts = names.map((name) => new TypedText("documents", name));
  for (let session = 1; session <= 4; session++) {
    await inStore(base, async (store) => {
      for (const text of texts) {
        const words = Array.from({ length: 25 }, (_, word) => {
          // Half of it does not compress, so that some blocks are packed and some are not.
          const noise = session % 2 ? Buffer.from(random.bytes(40)).toString("base64") : "";
          return `${text.document.name}-${session}-${word}${noise} `;
        });
        await text.type(store, words);
      }
      if (session === 2) await checkpoint(store, texts[2]!);
      if (session === 3) await prune(store, texts[3]!);
    });
  }
});
afterAll(async () => {
  removePrograms();
  await place[Symbol.asyncDispose]();
});

type Damage = (folder: string) => Promise<void>;

const flip = (pattern: RegExp): Damage => {
  return inFile(pattern, async (file) => {
    const bytes = await readFile(file);
    bytes[draw(bytes.length)]! ^= 1 << draw(8);
    await writeFile(file, bytes);
  });
};
const zero = (pattern: RegExp, length: number): Damage => {
  return inFile(pattern, async (file) => {
    const bytes = await readFile(file);
    const from = draw(bytes.length);
    bytes.fill(0, from, Math.min(from + length, bytes.length));
    await writeFile(file, bytes);
  });
};
const cut = (pattern: RegExp): Damage => {
  return inFile(pattern, async (file) => truncate(file, draw((await stat(file)).size)));
};
const footer: Damage = inFile(/\.ldb$/, async (file) => {
  const bytes = await readFile(file);
  bytes[bytes.length - 1 - draw(8)]! ^= 1 << draw(8);
  await writeFile(file, bytes);
});
const remove = (pattern: RegExp): Damage => inFile(pattern, (file) => unlink(file));
const removeAll =
  (pattern: RegExp): Damage =>
  async (folder) => {
    for (const name of await readdir(path.join(folder, logFolderName))) {
      if (pattern.test(name)) await unlink(path.join(folder, logFolderName, name));
    }
  };
const all =
  (...damages: readonly Damage[]): Damage =>
  async (folder) => {
    for (const damage of damages) await damage(folder);
  };

const table = /\.ldb$/;
const log = /\.log$/;
const manifest = /^MANIFEST/;
const current = /^CURRENT$/;

/** How often each is done. */
const damages: readonly (readonly [string, number, Damage])[] = [
  ["nothing", 1, async () => undefined],
  ["a bit of a table", 6, flip(table)],
  ["a bit of the log", 6, flip(log)],
  ["a bit of the manifest", 2, flip(manifest)],
  ["a bit of CURRENT", 1, flip(current)],
  ["a bit of the witness", 1, (folder) => flipWitness(folder)],
  ["the witness is gone", 1, (folder) => unlink(path.join(folder, witnessName))],
  ["a page of a table is zero", 2, zero(table, 4096)],
  ["a page of the log is zero", 2, zero(log, 4096)],
  ["a table is cut", 2, cut(table)],
  ["a table is all zeros", 1, inFile(table, async (file) => zeroAll(file))],
  ["a table is empty", 1, inFile(table, (file) => truncate(file))],
  ["a table is gone", 1, remove(table)],
  ["the footer of a table", 2, footer],
  ["the log is cut", 2, cut(log)],
  ["the log is empty", 1, inFile(log, (file) => truncate(file))],
  ["the log is all zeros", 1, inFile(log, async (file) => zeroAll(file))],
  ["the log is gone", 1, remove(log)],
  ["CURRENT is gone", 1, remove(current)],
  ["the manifest is gone", 1, remove(manifest)],
  ["the manifest is cut", 2, cut(manifest)],
  ["all tables and logs are gone", 1, removeAll(/\.(?:ldb|log)$/)],
  ["all files of LevelDB are gone", 1, removeAll(/./)],
  ["its folder is gone", 1, (folder) => rm(path.join(folder, logFolderName), { recursive: true })],
  ["a bit of a table and one of the log", 2, all(flip(table), flip(log))],
  ["a footer and a bit of a table", 2, all(footer, flip(table))],
  ["the manifest is gone, and a bit of the log", 1, all(remove(manifest), flip(log))],
  ["many bits", 1, all(...Array.from({ length: 12 }, (_, n) => flip(n % 2 ? table : log)))],
];

interface Trial {
  readonly name: string;
  readonly folder: string;
}

test("[STO-11] repair saves what the damaged store serves, nothing else, and never says too much", async () => {
  const witness = await readWitness(base);
  if (witness.found !== "whole") throw new Error("the store has no witness");
  const trials: Trial[] = [];
  for (const [name, times, damage] of damages) {
    for (let time = 0; time < times; time++) {
      const folder = path.join(place.folder, `trial-${trials.length}`);
      await cp(base, folder, { recursive: true });
      await writeWitness(folder, witness.witness);
      await damage(folder);
      trials.push({ name, folder });
    }
  }
  const table = new Map<string, Outcomes>();
  const said: boolean[] = [];
  const saved: Texts[] = [];
  for (const [at, { name, folder }] of trials.entries()) {
    // Two at a time, for two processors.
    if (at % 2 === 0) {
      const pair = trials.slice(at, at + 2).map((trial) => repair(trial.folder));
      said.push(...(await Promise.all(pair)));
    }
    saved.push(await textsIn(`${folder}-repaired`));
    for (const [index, text] of texts.entries()) {
      const what = `${name}: ${text.document.name} in ${path.basename(folder)}`;
      expect(isWithin(saved.at(-1)![names[index]!]!, text.text), what).toBe(true);
    }
  }
  const served = await serve(trials.map(({ folder }) => folder));
  for (const [index, { name, folder }] of trials.entries()) {
    const isOk = said[index]!;
    const isEqual = texts.every((text) => saved[index]![text.document.name] === text.text);
    const outcomes = table.get(name) ?? { ok: 0, "not ok": 0, equal: 0, "more than was served": 0 };
    outcomes[isOk ? "ok" : "not ok"]++;
    if (isEqual) outcomes.equal++;
    let isMore = false;
    for (const document of names) {
      const [is, was] = [saved[index]![document]!, served[index]?.[document] ?? ""];
      expect(isWithin(was, is), `${name}: ${document} in ${path.basename(folder)}`).toBe(true);
      isMore ||= is.length > was.length;
    }
    if (isMore) outcomes["more than was served"]++;
    if (isOk) expect(isEqual, `${name} in ${folder}`).toBe(true);
    table.set(name, outcomes);
  }
  console.table(Object.fromEntries(table));
  expect(table.get("nothing")).toMatchObject({ ok: 1, equal: 1 });
  expect(table.get("CURRENT is gone")).toMatchObject({ ok: 1, equal: 1 });
  // A bit takes a record with it, and what was built on that; the rest is there.
  const wholeFooters = table.get("the footer of a table")!;
  expect(wholeFooters.equal).toBe(wholeFooters["not ok"]);
});

/** Whether the command says that all is there. */
async function repair(folder: string): Promise<boolean> {
  const { status, out, err } = await runHeddle("repair", folder, "--json");
  expect(err).toBe("");
  const { ok } = JSON.parse(out) as { ok: boolean };
  expect(status).toBe(ok ? 0 : 1);
  return ok;
}

interface Outcomes {
  ok: number;
  "not ok": number;
  equal: number;
  "more than was served": number;
}

type Texts = Readonly<Record<string, string>>;

async function textsIn(folder: string): Promise<Texts> {
  return inStore(folder, async (store) => {
    const entries = texts.map(async ({ document }): Promise<[string, string]> => {
      const isThere = (await store.readDocument(document.id)) !== undefined;
      return [document.name, isThere ? await textIn(store, document) : ""];
    });
    return Object.fromEntries(await Promise.all(entries));
  });
}

/** Whether `part` is `whole` with words left out. */
function isWithin(part: string, whole: string): boolean {
  let at = 0;
  const words = whole.split(" ");
  for (const word of part.split(" ")) {
    at = words.indexOf(word, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** What each folder serves; nothing where LevelDB aborts. */
async function serve(folders: readonly string[]): Promise<Texts[]> {
  const program = compileProgram("faults/serve-program");
  const served: Texts[] = [];
  while (served.length < folders.length) {
    const child = new ProgramProcess(program, [...names, "-", ...folders.slice(served.length)]);
    const signal = await child.finish();
    served.push(...child.rest.map((line) => JSON.parse(line) as Texts));
    if (served.length === folders.length) break;
    expect(signal, folders[served.length]).toBe("SIGABRT");
    served.push({});
  }
  return served;
}

function inFile(pattern: RegExp, change: (file: string) => Promise<unknown>): Damage {
  return async (folder) => {
    const found = (await readdir(path.join(folder, logFolderName))).filter((name) => {
      return pattern.test(name);
    });
    const name = found.toSorted()[draw(found.length)]!;
    await change(path.join(folder, logFolderName, name));
  };
}

async function zeroAll(file: string): Promise<void> {
  await writeFile(file, new Uint8Array((await stat(file)).size));
}

async function flipWitness(folder: string): Promise<void> {
  const file = path.join(folder, witnessName);
  const bytes = await readFile(file);
  bytes[draw(bytes.length)]! ^= 1 << draw(8);
  await writeFile(file, bytes);
}
