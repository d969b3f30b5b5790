import { writeFile } from "node:fs/promises";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { beforeEach, expect, test } from "vitest";

import { heddle, operatorFolder, startRelay, until } from "./commands.fixture.ts";
import type { ProjectionReport } from "./projection-reports.ts";

// Goal: what a relay keeps of documents can be read, and how it goes be seen, without stopping it.
// Method: a module with one definition that works and one that fails on some documents, and the command.

const moduleText = `const common = { version: 3, owner: "feed team", combine: (a, b) => a + b, repair: "overwrite" };
export const projections = [
  { ...common, name: "words", partition: (name) => name.split("/")[0],
    derive: (doc) => [["words", doc.getText("text").length], ["\\u202eodd\\n", 1]] },
  { ...common, name: "picky", partition: () => "all",
    fold: ({ document }) => { if (document.name === "acme/b") throw new Error("not this one"); return [["changes", 1]]; } },
];
`;

const place = operatorFolder();

beforeEach(async () => {
  await writeFile(place.module, moduleText);
  const replica = await openReplica({ store: levelStore(place.data) });
  for (const name of ["acme/a", "acme/b", "beta/a"]) {
    const document = await replica.open(name);
    document.ydoc.getText("text").insert(0, "12345");
    await document.whenSaved();
  }
  await replica.close();
});

async function reports(): Promise<Map<string, ProjectionReport>> {
  const { out } = await heddle("projections", place.data, "--json");
  const parsed = out.map((line) => JSON.parse(line) as ProjectionReport);
  return new Map(parsed.map((report) => [report.name, report]));
}

async function rows(...flags: string[]): Promise<unknown[]> {
  const { out } = await heddle(
    "projections",
    place.data,
    "--projection",
    "words",
    "--json",
    ...flags,
  );
  return out.map((line) => JSON.parse(line) as unknown);
}

test("[REC-14] a relay says which projections it has, how far they are, and what they say", async () => {
  expect((await heddle("projections", place.data)).out).toEqual([
    "no projection was ever built here",
  ]);
  {
    await using _ = await startRelay(place.data, "--projections", place.module);
    await until(async () => [...(await reports()).values()].every(({ state }) => state === "idle"));
    const { words, picky } = Object.fromEntries(await reports());
    expect(words).toMatchObject({
      live: { number: 1, version: 3, owner: "feed team", arrival: 3 },
    });
    expect(words).toMatchObject({ stalled: 0, running: { failures: 0 } });
    expect(picky).toMatchObject({
      stalled: 1,
      running: { lastInvalid: { error: "Error: not this one" } },
    });

    const odd = "\u202eodd\n";
    const all = [
      { partition: "acme", key: "words", value: 10 },
      { partition: "acme", key: odd, value: 2 },
      { partition: "beta", key: "words", value: 5 },
      { partition: "beta", key: odd, value: 1 },
    ];
    expect(await rows()).toEqual(all);
    expect(await rows("--limit", "3")).toEqual(all.slice(0, 3));
    expect(await rows("--partition", "beta")).toEqual(all.slice(2));
    expect(await rows("--partition", "beta", "--key", "words")).toEqual([all[2]]);
    const { out, status } = await heddle("projections", place.data, "--projection", "words");
    expect([status, out[0]]).toEqual([0, "acme words 10"]);
    expect(out.join()).not.toContain("\u202e");
    expect((await heddle("projections", place.data)).status).toBe(1);
  }
  // The folder is free, and no module says what made them: they can be read as they are.
  expect((await reports()).get("words")).toMatchObject({ state: "stopped", live: { number: 1 } });
  expect(await rows("--partition", "beta", "--key", "words")).toHaveLength(1);
  const none = await heddle(
    "projections",
    place.data,
    "--projection",
    "words",
    "--partition",
    "x",
    "--key",
    "y",
  );
  expect(none).toMatchObject({ status: 1, out: [] });
  for (const wrong of [
    ["--projection", "sentences"],
    ["--projection", "words", "--key", "words"],
    ["--projection", "words", "--limit", "0"],
  ]) {
    expect((await heddle("projections", place.data, ...wrong)).status, wrong.join(" ")).toBe(2);
  }
});
