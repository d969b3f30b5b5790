import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";

import { main } from "./main.ts";

// Goal: what heddle members says and does, to people and to scripts.
// Method: the command itself on data folders.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "heddle-cli-members-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(name: string, ...argv: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    out: (line: string) => out.push(line),
    err: (line: string) => err.push(line),
    isTTY: false,
  };
  const given = ["members", "--data", path.join(folder, name), ...argv];
  const status = await main(given, io, new AbortController().signal);
  return { status, out: out.join("\n"), err: err.join("\n") };
}

test("[MEM-10] heddle members makes a space, joins one, grants and removes; the folder stays of that space", async () => {
  const none = await run("ada");
  expect([none.status, none.err]).toEqual([2, expect.stringContaining("open space")]);
  const made = await run("ada", "--create", "--label", "Atelier", "--json");
  const { genesis, device: ada, space } = JSON.parse(made.out);
  expect(JSON.parse(made.out)).toMatchObject({ label: "Atelier", role: "admin" });
  expect((await run("ada", "--create")).status).toBe(2);

  const joined = JSON.parse((await run("bo", "--join", genesis, "--json")).out);
  expect(joined).toMatchObject({ space, genesis, members: [{ device: ada, role: "admin" }] });
  expect(joined.role).toBeUndefined();
  expect((await run("cy", "--join", `${genesis.slice(0, -4)}AAAA`)).status).toBe(2);

  const granted = await run("ada", "--grant", joined.device, "--role", "read", "--label", "Bo");
  expect(granted.out).toMatch(new RegExp(`${joined.device.slice(0, 16)} +read +Bo`));
  const mine = await run("bo", "--grant", joined.device, "--role", "admin");
  expect([mine.status, mine.err]).toEqual([1, expect.stringContaining("MEMBERSHIP_REFUSED")]);
  await run("ada", "--revoke", joined.device.slice(0, 12));
  expect((await run("ada")).out).toContain(`removed by ${ada.slice(0, 16)}`);
  expect((await run("ada", "--revoke", "abc")).status).toBe(2);

  // An application, or heddle peer, that opens the folder is in the space, too.
  const live = await openReplica({ store: levelStore(path.join(folder, "ada")) });
  expect(live.replica.members?.genesis.space).toBe(space);
  expect(live.replica.members?.membership.roleOf(joined.device)).toBeUndefined();
  await live.close();
  writeFileSync(path.join(folder, "ada", "space.genesis"), "no genesis!\n");
  const damaged = await run("ada");
  expect([damaged.status, damaged.err]).toEqual([1, expect.stringContaining("STORAGE_CORRUPT")]);
});

test("[MEM-10] a folder with documents is not put into a space", async () => {
  const live = await openReplica({ store: levelStore(path.join(folder, "ada")) });
  const document = await live.open("plan");
  document.ydoc.getText("text").insert(0, "here");
  await document.whenSaved();
  await live.close();
  const refused = await run("ada", "--create");
  expect([refused.status, refused.err]).toEqual([2, expect.stringContaining("another space")]);
  expect((await run("ada")).err).toContain("open space");
});
