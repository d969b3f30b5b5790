import { existsSync } from "node:fs";
import { cp, mkdir, readdir, rm, stat, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { logFolderName, markerName, openLevelStore } from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";
import { afterAll, expect, test } from "vitest";

import { runHeddle } from "../processes/heddle-command.ts";
import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { StoreFolder } from "./store-survey.ts";
import { inStore, textIn, TypedText } from "./written-store.ts";

// Goal: while a repaired store takes the place of a damaged one, the folder opens as the one, or as the
// other, or is refused; never as an empty store, and a replacement that was cut short can be ended.
// Method: kill the process before each of its renames, and look at what is left.

afterAll(removePrograms);

const words = (count: number, label: string) =>
  Array.from({ length: count }, (_, index) => `${label}${index} `);

test("[STO-6][STO-11] a kill before any rename of a replacement leaves a store, or a refusal", async () => {
  await using place = await StoreFolder.make();
  const old = new TypedText("replaced", "notes");
  const bases = ["old", "new"].map((name) => path.join(place.folder, name));
  await inStore(bases[0]!, (store) => old.type(store, words(10, "a")));
  const oldText = old.text;
  await cp(bases[0]!, bases[1]!, { recursive: true });
  await inStore(bases[1]!, (store) => old.type(store, words(10, "b")));
  const program = compileProgram("faults/replace-program");
  for (let at = 1; ; at++) {
    const data = path.join(place.folder, `data-${at}`);
    const from = path.join(place.folder, `from-${at}`);
    await cp(bases[0]!, data, { recursive: true });
    await writeFile(path.join(data, "device-key.pem"), "key");
    await cp(bases[1]!, from, { recursive: true });
    const child = new ProgramProcess(program, [data, from, String(at)]);
    const signal = await child.finish();
    if (signal === null) {
      expect(child.rest).toEqual(["renamed 6"]);
      expect(at).toBe(7);
      await inStore(data, async (store) => {
        expect(await textIn(store, old.document)).toBe(old.text);
      });
      break;
    }
    expect(signal).toBe("SIGKILL");
    await expect(inStore(data, async () => undefined)).rejects.toMatchObject({
      code: HeddleErrorCode.storageCorrupt,
      message: expect.stringMatching(/run it again/),
    });
    const before = await readdir(data);
    expect(await runHeddle("repair", data)).toMatchObject({ status: 1 });
    expect(await readdir(data)).toEqual(before);
    expect(await runHeddle("repair", data, "--replace")).toMatchObject({
      status: 0,
      out: expect.stringMatching(/interrupted/),
    });
    await inStore(data, async (store) => {
      expect(await textIn(store, old.document)).toBe(old.text);
    });
    const [aside] = await readdir(path.join(data, "quarantine"));
    await inStore(path.join(data, "quarantine", aside!), async (store) => {
      expect(await textIn(store, old.document)).toBe(oldText);
    });
    expect(existsSync(from)).toBe(false);
  }
});

test("[STO-11] nothing is moved when the new store would be on another file system", async () => {
  if (!existsSync("/dev/shm")) return;
  await using place = await StoreFolder.make();
  await using elsewhere = await StoreFolder.makeQuick();
  const { dev } = await stat(elsewhere.folder);
  expect(dev).not.toBe((await stat(place.folder)).dev);
  const text = new TypedText("elsewhere", "notes");
  const data = path.join(place.folder, "data");
  await inStore(data, (store) => text.type(store, words(10, "a")));
  const before = await readdir(data);
  const target = path.join(elsewhere.folder, "repaired");
  expect(await runHeddle("repair", data, "--to", target, "--replace")).toMatchObject({
    status: 2,
    err: expect.stringMatching(/another file system.*HEDDLE_CONFIG_INVALID/),
  });
  expect(await readdir(data)).toEqual(before);
  expect(await readdir(elsewhere.folder)).toEqual([]);
  await inStore(data, async (store) => expect(await textIn(store, text.document)).toBe(text.text));
});

test("[STO-5][STO-11] a store that somebody has open is neither repaired nor replaced", async () => {
  await using place = await StoreFolder.make();
  const data = path.join(place.folder, "data");
  await inStore(data, async () => {
    for (const flags of [[], ["--replace"]]) {
      expect(await runHeddle("repair", data, ...flags)).toMatchObject({
        status: 1,
        err: expect.stringMatching(/HEDDLE_STORAGE_LOCKED/),
      });
    }
  });
  expect(await readdir(place.folder)).toEqual(["data"]);
});

test("[STO-6] a folder that has traces of a store and no marker gets no new one", async () => {
  await using place = await StoreFolder.make();
  for (const trace of [
    "device-key.pem",
    "quarantine",
    "heddle-backup.json",
    "heddle-witness.json",
  ]) {
    const data = path.join(place.folder, trace);
    await mkdir(data);
    if (trace === "quarantine") await mkdir(path.join(data, trace));
    else await writeFile(path.join(data, trace), "");
    const opening = openLevelStore(data, { environment: testEnvironment("trace") });
    await expect(opening).rejects.toMatchObject({ code: HeddleErrorCode.storageCorrupt });
    expect(await readdir(data)).toEqual([trace]);
  }
});

test("[STO-11] repair of a folder with nothing in it saves nothing and says so", async () => {
  await using place = await StoreFolder.make();
  const [empty, bare] = ["empty", "bare"].map((name) => path.join(place.folder, name));
  await mkdir(empty!);
  expect(await runHeddle("repair", empty!)).toMatchObject({ status: 2 });
  await inStore(bare!, async () => undefined);
  await rm(path.join(bare!, logFolderName), { recursive: true });
  await mkdir(path.join(bare!, logFolderName));
  await unlink(path.join(bare!, markerName));
  const { status, out } = await runHeddle("repair", bare!, "--json");
  expect(status).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ ok: false, documents: [] });
});

test("[STO-11] a restore gives way to a store that was begun in its place meanwhile", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("restore", "notes");
  const [data, backup, target] = ["data", "backup", "target"].map((name) =>
    path.join(place.folder, name),
  );
  await inStore(data!, (store) => text.type(store, words(200, "a")));
  expect(await runHeddle("backup", data!, backup!)).toMatchObject({ status: 0 });
  await inStore(target!, async (store) => {
    await new TypedText("live", "live").type(store, words(3, "x"));
    expect(await runHeddle("restore", backup!, target!)).toMatchObject({ status: 2 });
  });
  expect(await readdir(place.folder)).toEqual(["backup", "data", "target"]);
});
