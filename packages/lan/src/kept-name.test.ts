import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { keptName } from "./kept-name.ts";
import { newFolder } from "./lan-site.fixture.ts";

let temporary: ReturnType<typeof newFolder>;
let file: string;
beforeEach(() => {
  temporary = newFolder();
  file = path.join(temporary.folder, "lan", "name");
});
afterEach(() => temporary.remove());

test("a device is called as it was told last, by whichever program", async () => {
  expect(await keptName(file, undefined)).toBe(hostname());
  expect(await keptName(file, "Ada's\nlaptop")).toBe("Ada's laptop");
  expect(await keptName(file, undefined)).toBe("Ada's laptop");
  writeFileSync(file, "\u001b[2J");
  expect(await keptName(file, undefined)).toBe(hostname());
});

test("a name that cannot be kept is said with a code", async () => {
  writeFileSync(path.join(temporary.folder, "lan"), "no folder");
  await expect(keptName(file, "Ada")).rejects.toMatchObject({ code: "HEDDLE_STORAGE_IO" });
});
