import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { deviceKey, MemberRole } from "@heddle/core";
import type { JobReport } from "@heddle/reconcile";
import {
  deviceKeyFileIn,
  nodeEnvironment,
  openDeviceKey,
  openReplica,
  readSpaceFile,
  writeSpaceFile,
} from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";

import { peerTargets } from "../peer-targets.ts";
import { heddle, startRelay, until } from "./commands.fixture.ts";

// Goal: what does not count in a space is in nothing that is derived from its documents.
// Method: a member's work that reached one relay only before the member was removed; that relay's folder, by the commands
// and while it runs.

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const dataOf = (name: string): string => path.join(folder, name);

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function open(name: string, ...urls: readonly string[]) {
  const peers = peerTargets(urls, nodeEnvironment(silent));
  return openReplica({ store: levelStore(dataOf(name)), peers, follow: true });
}

type Opened = Awaited<ReturnType<typeof open>>;

async function like(replica: Opened, person: string): Promise<void> {
  const document = await replica.open("post-1");
  document.ydoc.getMap("likes").set(person, true);
  await document.whenSaved();
  await document.close();
}

async function likesIn(replica: Opened): Promise<number> {
  const document = await replica.open("post-1");
  const { size } = document.ydoc.getMap("likes");
  await document.close();
  return size;
}

const moduleText = `export const projections = [{
  name: "likes", version: 1, owner: "tests", repair: "overwrite",
  partition: (name) => name.startsWith("post-") ? "posts" : undefined,
  derive: (doc) => [["likes", doc.getMap("likes").size]],
  combine: (a, b) => a + b, subtract: (a, b) => a - b,
}];`;

test("[MEM-8] [REC-11] what does not count is in no projection: of a relay that runs, and of the commands on its folder", async () => {
  await heddle("members", "--data", dataOf("ada"), "--create");
  const genesis = (await readSpaceFile(dataOf("ada")))!;
  const module = path.join(folder, "projections.mjs");
  await writeFile(module, moduleText);
  let guestKey: ReturnType<typeof deviceKey> | undefined;
  {
    await using ada = await open("ada");
    for (const name of ["bo", "guest"]) {
      await (await openReplica({ store: levelStore(dataOf(name)) })).close();
      await writeSpaceFile(dataOf(name), genesis);
      const { devicePublicKey } = await openDeviceKey(deviceKeyFileIn(dataOf(name)));
      guestKey = deviceKey(devicePublicKey);
      await ada.replica.acts!.grant(guestKey, MemberRole.write);
    }
    await like(ada, "ada");
  }
  const reconciled = async (...flags: string[]): Promise<JobReport> => {
    const ran = await heddle("reconcile", dataOf("bo"), ...flags, "--json");
    return JSON.parse(ran.out[0]!) as JobReport;
  };
  {
    const ada = await startRelay(dataOf("ada"));
    await using bo = await startRelay(dataOf("bo"), "--peer", ada.url);
    await using guest = await open("guest", bo.url);
    await until(async () => (await likesIn(guest)) === 1);
    // Ada does not hear of what the guest does.
    await ada[Symbol.asyncDispose]();
    await like(guest, "guest");
    await until(() => guest.outbox?.envelopes === 0);
  }
  expect(await reconciled("--projections", module)).toMatchObject({ outcome: "whole" });
  const desk = ["reconcile", dataOf("bo"), "--projections", module, "--thorough"];
  expect(await heddle(...desk)).toMatchObject({ status: 0 });
  {
    await using ada = await open("ada");
    await ada.replica.acts!.revoke(guestKey!);
  }
  {
    await using ada = await startRelay(dataOf("ada"));
    const flags = ["--peer", ada.url, "--projections", module, "--reconcile", "off"];
    await using _ = await startRelay(dataOf("bo"), ...flags);
    // Once it has heard of that, nothing having been written to the document.
    let report = await reconciled();
    await until(async () => {
      if (report.drifts.length === 0) report = await reconciled("--if-moved");
      return report.drifts.length > 0;
    });
    expect(report.drifts).toMatchObject([
      { cause: "missed", action: "corrected", keys: [{ key: "likes", before: 2, after: 1 }] },
    ]);
    expect(await reconciled("--thorough")).toMatchObject({ counts: { drifts: 0 } });
  }
  // Without the relay the folder is read by the same records.
  const after = await reconciled("--projections", module, "--thorough");
  expect(after).toMatchObject({ outcome: "whole", counts: { drifts: 0, documents: 1 } });
});
