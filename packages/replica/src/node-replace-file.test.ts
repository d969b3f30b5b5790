import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";

import { replaceFile } from "./node-replace-file.ts";

// Goal: a file that several write at once, as a list of paired devices is by a command and a replica, is whole.

test("[LAN-2] of texts that are written at once one is there at the end, and nobody fails", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-replace-"));
  try {
    const file = path.join(folder, "lan", "device.json");
    const texts = Array.from({ length: 8 }, (_, index) => "x".repeat(1 + index * 500));
    await Promise.all(texts.map((text) => replaceFile(file, text)));
    expect(texts).toContain(await readFile(file, "utf8"));
    // What could not be put in place is not left lying about either.
    await expect(replaceFile(path.join(folder, "lan"), "a folder")).rejects.toThrow();
    expect(await readdir(folder)).toEqual(["lan"]);
    expect(await readdir(path.join(folder, "lan"))).toEqual(["device.json"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
