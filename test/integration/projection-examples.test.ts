import { readdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";
import { runProgram } from "./run-program.ts";

// Goal: the example of every built-in projection runs and says what it is about.
// Method: run all of them, as they were built, one after the other in one process.

const folder = path.join(repositoryFolder, "apps/examples/projections");

const said = [
  ["inbox", ["rooms/lunch: or noodles? (2 unread)", "rooms/work: it is done (0 unread)"]],
  ["likes", ["likes of post 1: 4", "bo takes theirs back: 3"]],
  ["notifications", ["ada: 2, cy has joined", "ada has looked: nothing new"]],
  ["rollup", ["changes in all hours: 3"]],
  ["search", ["onion: Soup", "time: Bread, Soup"]],
  ["totals", ["visits: 12", "visits: 22"]],
  ["unread", ["bo has not read: 4", "bo has read lunch: 2"]],
] as const;

test("the example of a sink runs as it is printed", async () => {
  const file = path.join(repositoryFolder, "apps/examples/sinks/webhook.js");
  const output = await runProgram(process.execPath, [file]);
  expect(output.trimEnd().split("\n")).toEqual([
    "the server has: shopping 1, shopping 2",
    "delivered: 2 failed before that: 1",
  ]);
});

test("the examples of projections run as they are printed", async () => {
  const names = readdirSync(folder).filter((name) => name !== "workspace.js");
  expect(names.toSorted()).toEqual(said.map(([name]) => `${name}.js`));
  const files = said.map(([name]) => pathToFileURL(path.join(folder, `${name}.js`)).href);
  const program = files.map((file) => `await import(${JSON.stringify(file)});`).join("\n");
  const output = await runProgram(process.execPath, ["--input-type=module", "-e", program]);
  expect(output.trimEnd().split("\n")).toEqual(said.flatMap(([, lines]) => lines));
});
