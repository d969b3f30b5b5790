import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { openLevelStore } from "@heddle/storage-level";
import { testDocument, testEnvironment, TestWriter, type TestEnvironment } from "@heddle/testkit";
import { encodeUtf8 } from "lib0/string";
import { afterAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { flipAnyBit, StoreFolder } from "./store-survey.ts";

// Goal: whatever is wrong with a table, LevelDB never ends the process of a relay.
// Method: tables of text and of random bytes, of some blocks each, with a bit flipped, a stretch zeroed, or
// a stretch overwritten; each folder is opened, read in every way and written until LevelDB has merged its
// tables, in another process, which has to live.

afterAll(removePrograms);

const environment = testEnvironment(process.env["HEDDLE_SEED"] ?? "damaged tables");
const names = ["text", "noise"];

type Harm = (bytes: Uint8Array, environment: TestEnvironment) => Uint8Array;

const harms: Readonly<Record<string, readonly [count: number, harm: Harm]>> = {
  "a flipped bit": [240, flipAnyBit],
  "a stretch of zeros": [30, (bytes, { random }) => overwrite(bytes, random.bytes(8), 4_096)],
  "a stretch of noise": [60, (bytes, { random }) => overwrite(bytes, random.bytes(64), 40)],
};

test("[STO-6][STO-13] LevelDB aborts at no damaged table, and most of them do not keep the store closed", async () => {
  await using place = await StoreFolder.makeQuick();
  await using copies = await StoreFolder.makeQuick();
  await fill(place.folder);
  const tables = (await readdir(place.logFolder)).filter((name) => name.endsWith(".ldb"));
  expect(tables.length).toBeGreaterThan(1);
  const outcomes: Record<string, Record<string, number>> = {};
  for (const [name, [count, harm]] of Object.entries(harms)) {
    const folders: string[] = [];
    for (let index = 0; index < count; index++) {
      const folder = path.join(copies.folder, `${name}-${index}`.replaceAll(" ", "-"));
      await cp(place.folder, folder, { recursive: true });
      const table = path.join(folder, "log", tables[index % tables.length]!);
      await writeFile(table, harm(await readFile(table), environment));
      folders.push(folder);
    }
    outcomes[name] = await outcomesOf(folders);
  }
  console.table(outcomes);
  const sum = (outcome: string): number => {
    return Object.values(outcomes).reduce((total, row) => total + (row[outcome] ?? 0), 0);
  };
  expect(sum("aborted")).toBe(0);
  expect(outcomes["a flipped bit"]!["opened"]).toBeGreaterThan(240 / 2);
});

/** Half of it compresses. One table of each session. */
async function fill(folder: string): Promise<void> {
  const documents = names.map((name) => testDocument(environment, name));
  for (let session = 0; session < 3; session++) {
    const store = await openLevelStore(folder, { environment });
    const writer = await TestWriter.open(environment);
    await store.append({ documents, lanes: [writer.lane] });
    for (let count = 0; count < 80; count++) {
      const text = encodeUtf8(`${"the quick brown fox ".repeat(8)}${count}`);
      await store.append({
        envelopes: [
          writer.seal(documents[0]!.id, text),
          writer.seal(documents[1]!.id, environment.random.bytes(150)),
        ],
      });
    }
    await store.close();
  }
  await (await openLevelStore(folder, { environment })).close();
}

function overwrite(bytes: Uint8Array, random: Uint8Array, lengthMax: number): Uint8Array {
  const draw = new DataView(random.buffer, random.byteOffset, random.byteLength);
  const at = draw.getUint32(0) % bytes.length;
  const length = 1 + (draw.getUint32(4) % lengthMax);
  const copy = Uint8Array.from(bytes);
  // Eight random bytes decide where; the rest of them, if there is any, is what is written there.
  const noise = random.subarray(8);
  for (let index = at; index < Math.min(at + length, copy.length); index++) {
    copy[index] = noise[index - at] ?? 0;
  }
  return copy;
}

async function outcomesOf(folders: readonly string[]): Promise<Record<string, number>> {
  const program = compileProgram("faults/open-and-read-program");
  const outcomes: Record<string, number> = { opened: 0, refused: 0, aborted: 0 };
  for (let done = 0; done < folders.length; done++) {
    const child = new ProgramProcess(program, [...names, "-", ...folders.slice(done)]);
    await child.finish();
    // Two lines for each folder; what ended it was at the one that has fewer.
    const lines = child.rest.map((line) => JSON.parse(line) as { survey?: { open: string } });
    const whole = Math.floor(lines.length / 2);
    for (let index = 0; index < whole; index++) {
      const isRefused = lines[index * 2]!.survey!.open.startsWith("HEDDLE_");
      outcomes[isRefused ? "refused" : "opened"]!++;
    }
    done += whole;
    if (done < folders.length) outcomes["aborted"]!++;
  }
  return outcomes;
}
