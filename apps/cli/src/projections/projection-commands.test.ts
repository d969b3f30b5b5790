import { readFile, stat, writeFile } from "node:fs/promises";

import path from "node:path";

import { documentIdOf, openSpaceId, parseDocumentName } from "@heddle/core";
import {
  decodeTotal,
  encodeAuditEntry,
  encodeTotal,
  readGenerations,
  totalPath,
  type JobReport,
} from "@heddle/reconcile";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import { levelStore, openLevelProjectionStore, openLevelStore } from "@heddle/storage-level";
import { beforeEach, expect, test } from "vitest";

import {
  heddle,
  operatorFolder,
  startRelay,
  until,
  type RunningRelay,
} from "./commands.fixture.ts";
import { operatorName } from "./operator-name.ts";

// Goal: an operator sees that likes are wrong, has them corrected once, and can tell afterwards who did it.
// Method: 1,000 likes in the documents of a data folder, a hand on the total on the disk, and the commands.

const documents = 10;
const likesOfEach = 100;

/** A module as an operator writes one; it needs no import. */
const moduleText = `export const projections = [{
  name: "likes",
  version: 1,
  owner: "feed team",
  partition: (name) => name.startsWith("post-") ? name.split("/")[0] : undefined,
  derive: (doc) => [["likes", [...doc.getMap("likes").values()].filter(Boolean).length]],
  combine: (a, b) => a + b,
  subtract: (a, b) => a - b,
  repair: "overwrite",
}];
`;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

const place = operatorFolder();

beforeEach(async () => {
  await writeFile(place.module, moduleText);
});

async function reconcile(...flags: string[]): Promise<{ status: number; report: JobReport }> {
  const ran = await heddle("reconcile", place.data, ...flags, "--json");
  return { status: ran.status, report: JSON.parse(ran.out[0]!) as JobReport };
}

async function writeLikes(): Promise<void> {
  const replica = await openReplica({ store: levelStore(place.data) });
  for (let document = 0; document < documents; document++) {
    const open = await replica.open(`post-1/${document}`);
    const likes = open.ydoc.getMap<boolean>("likes");
    open.ydoc.transact(() => {
      for (let person = 0; person < likesOfEach; person++) likes.set(`person ${person}`, true);
      likes.set("somebody who took it back", false);
    });
    await open.whenSaved();
  }
  await replica.close();
}

/** A hand on the database. */
async function tamper(): Promise<void> {
  const environment = nodeEnvironment(silent);
  const { store } = await openLevelProjectionStore(path.join(place.data, "projections"), {
    environment,
  });
  const { live } = await readGenerations(store, "likes");
  const at = totalPath(live!.id, "post-1", "likes");
  const [bytes] = await store.get([at]);
  const total = decodeTotal(bytes as Uint8Array);
  expect(total).toEqual({ value: 1_000, documents });
  await store.apply({ put: [{ path: at, value: encodeTotal({ ...total, value: 997 }) }] });
  await store.close();
}

/** Samples of `/metrics` that are of reconciliation, without their prefix. */
async function reconcileMetrics(relay: RunningRelay): Promise<Map<string, number>> {
  const samples = (await relay.metricsText()).matchAll(
    /^heddle_reconcile_(\w+)\{[^}]*"(\w[\w-]*)"\} (\S+)$/gm,
  );
  return new Map([...samples].map(([, name, label, value]) => [`${name} ${label}`, Number(value)]));
}

test("[REC-1] [REC-11] 1,000 likes, 997 on the disk: found, corrected by one audited correction, seen in the metrics, and gone", async () => {
  await writeLikes();
  const built = await reconcile("--projections", place.module);
  expect(built).toMatchObject({
    status: 0,
    report: { outcome: "whole", counts: { documents: 10 } },
  });
  await tamper();

  const dry = await reconcile("--projections", place.module, "--dry-run");
  expect(dry.status).toBe(1);
  expect(dry.report.drifts).toMatchObject([
    {
      partition: "post-1",
      keys: [{ key: "likes", before: 997, after: 1_000 }],
      action: "reported",
    },
  ]);
  expect((await heddle("audit", place.data, "--json")).out).toEqual([]);

  {
    await using relay = await startRelay(
      place.data,
      "--projections",
      place.module,
      "--reconcile",
      "continuous",
    );
    // Its correction is counted while a run still goes on.
    await until(async () => (await reconcileMetrics(relay)).get("runs_total whole") === 1);
    const metrics = await reconcileMetrics(relay);
    expect(metrics.get("corrections_total likes")).toBe(1);
    expect(metrics.get("drifts_total likes")).toBe(1);
    expect(metrics.get("largest_drift likes")).toBe(3);
    expect(metrics.get("failures_total likes")).toBe(0);
    expect(metrics.get("capped likes")).toBe(0);
    expect(metrics.get("age_seconds likes")).toBeLessThan(60);

    // The relay has the folder: it is asked through its socket, by its own user alone.
    expect((await stat(path.join(place.data, "control.sock"))).mode & 0o777).toBe(0o600);
    const second = await reconcile();
    expect(second).toMatchObject({ status: 0, report: { counts: { drifts: 0, documents: 10 } } });
    const { run } = second.report;
    const idle = await reconcile("--if-moved");
    expect(idle).toMatchObject({ status: 0, report: { outcome: "unmoved", since: { run } } });
    expect((await heddle("reconcile", place.data, "--if-moved")).out.join()).toContain(
      `unmoved since run ${run} at `,
    );
    expect((await reconcileMetrics(relay)).get("runs_total unmoved")).toBe(2);
    const { out } = await heddle("audit", place.data, "--projection", "likes");
    expect(out).toHaveLength(1);
    expect(out[0]).toContain(
      "corrected (tampered, applied) projection likes partition post-1 key likes",
    );
    expect(out[0]).toContain('{"likes":997} → {"likes":1000}');
    const rebuilt = await heddle("rebuild", place.data, "--projection", "likes");
    expect(rebuilt).toMatchObject({ status: 0, out: ["likes: generation 2"] });
    const refused = await heddle("reconcile", place.data, "--projection", "loves");
    expect(refused.status).toBe(2);
    expect(refused.err.join()).toContain("there is likes");
  }
  const last = await reconcile(
    "--projections",
    place.module,
    "--thorough",
    "--partition",
    "post-1",
  );
  expect(last).toMatchObject({ status: 0, report: { counts: { drifts: 0, documents: 10 } } });
  const again = await heddle("rebuild", place.data, "--projections", place.module);
  expect(again).toMatchObject({ status: 0, out: ["likes: generation 3"] });
});

test("[REC-11] who cannot be asked is named, and wrong usage is status 2", async () => {
  await writeLikes();
  expect((await heddle("reconcile", place.data)).status).toBe(2);
  const missing = await heddle(
    "reconcile",
    place.data,
    "--projections",
    path.join(place.folder, "none.mjs"),
  );
  expect(missing.status).toBe(2);
  await writeFile(place.module, "export const projections = [{ name: 'UPPER' }]");
  const invalid = await heddle("reconcile", place.data, "--projections", place.module);
  expect(invalid.err.join()).toContain("HEDDLE_PROJECTION_INVALID");
  expect((await heddle("reconcile", path.join(place.folder, "nowhere"))).status).toBe(2);
  expect((await heddle("audit", place.data, "--limit", "many")).status).toBe(2);

  await using _ = await startRelay(place.data);
  const locked = await heddle("reconcile", place.data);
  expect(locked.status).toBe(1);
  expect(locked.err.join()).toContain("--projections");
  expect(locked.err.join()).toContain("HEDDLE_STORAGE_LOCKED");
});

test("[REC-10] [REC-11] a run is narrowed as it was asked for, and its report says to what", async () => {
  await writeLikes();
  await heddle("reconcile", place.data, "--projections", place.module);
  await tamper();
  const counted = async (...flags: string[]) => {
    const { report } = await reconcile("--projections", place.module, "--dry-run", ...flags);
    return { ...report.counts, scope: report.scope };
  };
  expect(await counted("--partition-prefix", "post-")).toMatchObject({ drifts: 1, documents: 10 });
  expect(await counted("--partition-prefix", "tenant/")).toMatchObject({ drifts: 0, documents: 0 });
  expect(await counted("--key-from", "like", "--key-to", "likf")).toMatchObject({ drifts: 1 });
  expect(await counted("--key-from", "likf")).toMatchObject({ drifts: 0, documents: 10 });
  const { hash } = nodeEnvironment(silent);
  const id = documentIdOf(hash, openSpaceId(hash), parseDocumentName("post-1/3"));
  expect(await counted("--document", id)).toMatchObject({ drifts: 1, documents: 1 });
  expect(await counted("--document", "0".repeat(32))).toMatchObject({ drifts: 0, documents: 0 });
  const sampled = await counted("--sample", "0.000001", "--sample-seed", "none of them");
  expect(sampled).toMatchObject({
    drifts: 0,
    partitionsSkipped: 1,
    scope: { sample: { ratio: 0.000_001, seed: "none of them" } },
  });
  const all = ["reconcile", place.data, "--projections", place.module];
  const { out } = await heddle(...all, "--sample", "0.000001", "--sample-seed", "none of them");
  expect(out.join()).toContain("nothing is said about the rest");
  expect(out.join()).toContain("1 partitions not looked at");
  for (const wrong of [
    ["--sample", "2"],
    ["--document", "post-1/1"],
    ["--partition", "a", "--partition-prefix", "a"],
    ["--sample-seed", "a"],
  ]) {
    expect((await heddle(...all, ...wrong)).status, wrong.join(" ")).toBe(2);
  }
});

test("[REC-11] heddle audit shows what drift of the replica itself was found, beside what jobs did", async () => {
  await writeLikes();
  const environment = nodeEnvironment(silent);
  const { hash } = environment;
  const document = documentIdOf(hash, openSpaceId(hash), parseDocumentName("post-1/3"));
  const digest = { digest: new Uint8Array(32).fill(7), size: 0, bytes: new Uint8Array() };
  const entry = encodeAuditEntry({
    id: new Uint8Array(16),
    atMs: 5,
    by: "a device",
    subject: { of: "document", document },
    cause: "damaged-store",
    action: "refetched",
    result: "verified",
    before: digest,
    against: { ...digest, size: 7, bytes: new TextEncoder().encode('{"a":1}') },
    detail: "this side was wrong",
  });
  const log = await openLevelStore(place.data, { environment });
  await log.append({ audit: [entry] });
  await log.close();
  const { out } = await heddle("audit", place.data, "--json");
  expect(out.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    {
      journal: "replica",
      at: "1970-01-01T00:00:00.005Z",
      by: "a device",
      subject: { document },
      cause: "damaged-store",
      action: "refetched",
      result: "verified",
      before: { digest: "07".repeat(32) },
    },
  ]);
  const forPeople = (await heddle("audit", place.data)).out.join();
  expect(forPeople).toContain("refetched (damaged-store, verified)");
  expect(forPeople).toContain("this side was wrong");
  expect(forPeople).toContain('compared with {"a":1}');
  expect((await heddle("audit", place.data, "--projection", "likes", "--json")).out).toEqual([]);
});

test("text for people says what differed and what to do", async () => {
  await writeLikes();
  await heddle("reconcile", place.data, "--projections", place.module);
  await tamper();
  const { out, status } = await heddle(
    "reconcile",
    place.data,
    "--projections",
    place.module,
    "--corrections-max",
    "0",
  );
  expect(status).toBe(1);
  expect(out.join("\n")).toContain("likes: capped");
  expect(out.join("\n")).toContain("--accept-cap");
  const accepted = await heddle(
    "reconcile",
    place.data,
    "--projections",
    place.module,
    "--accept-cap",
  );
  expect(accepted.out.join("\n")).toContain("corrected, tampered: post-1 total: likes 997 → 1000");
  const [line] = (await heddle("audit", place.data)).out;
  expect(line).toContain(`by ${operatorName()}; tampered`);
  expect(await readFile(place.module, "utf8")).toBe(moduleText);
});
