import { readFile } from "node:fs/promises";
import path from "node:path";

import { transform } from "esbuild";
import { expect, test } from "vitest";

import { codeIn, SavedProgram } from "../processes/markdown-program.ts";
import { repositoryFolder } from "../processes/relay-process.ts";

// Goal: who copies the program of docs/projections.md into a TypeScript file has one that compiles, and runs.
// Method: the same text is in a file that the compiler checks with all others; it is run in a process of its own.

test("the program of docs/projections.md is one that the compiler has checked, and runs as it is printed", async () => {
  const page = "docs/projections.md";
  const blocks = [
    ...(await codeIn(page, "Define one", "ts")),
    ...(await codeIn(page, "Run it", "ts")),
  ];
  const printed = blocks.join("\n");
  const file = path.join(repositoryFolder, "test/integration/documented-projections-program.ts");
  const [, checked] = (await readFile(file, "utf8")).split("// As it is printed:\n");
  expect(printed).toBe(checked);
  const { code } = await transform(printed, { loader: "ts" });
  await using program = await SavedProgram.save(code);
  const [words, partitions, ...list] = (await program.run()).split("\n");
  expect([words, partitions]).toEqual(["2", "[ 'notes' ]"]);
  expect(list.join("\n")).toMatch(/key: '\d{4}-\d\d-\d\d changes', value: 1 /u);
});
