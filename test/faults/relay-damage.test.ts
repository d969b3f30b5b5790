import { createServer } from "node:net";
import { readFile, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { deviceKeyName } from "@heddle/storage-level";
import { testDocument, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { until } from "../integration/stock-client.ts";
import { connectStock, type StockClient } from "../interop/stock-providers.ts";
import { runHeddle } from "../processes/heddle-command.ts";
import { RelayProcess } from "../processes/relay-process.ts";
import { StoreFolder } from "./store-survey.ts";
import { inStore, TypedText } from "./written-store.ts";

// Goal: what is wrong with a store reaches whoever runs the relay, from wherever it was met.
// Method: relays as people start them, over folders that were damaged, robbed or restored, and what their
// admin port and their commands say.

const names = ["notes", "other"];

/** A store that a relay has served and stopped: nothing of it has to be recovered. */
async function served(seed: string): Promise<StoreFolder> {
  const place = await StoreFolder.make();
  for (const name of names) {
    const text = new TypedText(`${seed} ${name}`, name);
    await inStore(place.folder, (store) => text.type(store, ["some ", "words "]));
  }
  await using relay = await RelayProcess.start({ data: place.folder });
  expect(relay.isRunning).toBe(true);
  return place;
}

const withAdmin = ["--admin-port", "0"];

async function degradedOf(relay: RelayProcess): Promise<{ reason: string; count?: number }[]> {
  return (JSON.parse(await relay.ready()) as { degraded: { reason: string }[] }).degraded;
}

test("[STO-13][DRF-6] damage that somebody meets by opening a document is shown, counted, recorded and scrubbed", async () => {
  await using place = await served("met");
  await damageEnvelopeOf(place, "notes");
  {
    await using relay = await RelayProcess.start({ data: place.folder, flags: withAdmin });
    expect(await degradedOf(relay)).toEqual([]);
    const url = relay.url.replace("http", "ws");
    using client = connectStock({ url, name: "notes", version: "3.1.0" });
    let reasons: string[] = [];
    let scrubs = "";
    for (let attempt = 0; attempt < 1_000 && !scrubs.includes("done"); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      reasons = (await degradedOf(relay)).map(({ reason }) => reason);
      scrubs = /heddle_scrubs_total\{outcome="done"\} [1-9]/.exec(await relay.metrics())?.[0] ?? "";
    }
    expect(scrubs).not.toBe("");
    expect(client.provider.synced).toBe(false);
    expect(reasons.toSorted()).toEqual(["documents-damaged", "store-damaged"]);
    const metrics = await relay.metrics();
    expect(metrics).toMatch(/heddle_documents_damaged 1/);
    expect(metrics).toMatch(/heddle_store_damages [1-9]/);
    // Drift detected is drift alerted: ops/prometheus-alerts.yml looks at this one.
    expect(metrics).toMatch(/heddle_drift_found_total\{cause="damaged-store"\} 1/);
    using other = connectStock({ url, name: "other", version: "3.1.0" });
    await until(() => other.provider.synced, "the other document is served");
  }
  const { status, out } = await runHeddle("inspect", place.folder, "--json");
  expect(status).toBe(1);
  const listed = JSON.parse(out) as Record<string, { name?: string; event?: string }[]>;
  expect(listed["documents"]!.map(({ name }) => name)).toEqual(["other"]);
  expect(listed["damaged"]!.map(({ name }) => name)).toEqual(["notes"]);
  expect(listed["repairRequests"]!.length).toBeGreaterThan(0);
  expect(listed["journal"]!.map(({ event }) => event)).toContain("damage-found");
  const forPeople = await runHeddle("inspect", place.folder);
  expect(forPeople.status).toBe(1);
  expect(forPeople.out).toMatch(/notes \([0-9a-f]{32}\) is damaged: .*HEDDLE_STORAGE_CORRUPT/);
});

test("[DRF-7] a relay whose document is damaged gets it back from the relay that peers with it, and serves it", async () => {
  await using place = await StoreFolder.make();
  await using copy = await StoreFolder.make();
  const typed = "typed once";
  const shows = async (relay: RelayProcess): Promise<void> => {
    using client = openNotes(relay);
    const text = client.ydoc.getText("text");
    await until(() => text.toString() === typed, "it is served", 60_000);
  };
  let relay = await RelayProcess.start({ data: place.folder });
  const { port } = new URL(relay.url);
  const peer = ["--peer", relay.url.replace("http", "ws")];
  await using other = await RelayProcess.start({ data: copy.folder, flags: peer });
  {
    using writer = openNotes(relay);
    await until(() => writer.provider.synced, "the writer is synced");
    writer.ydoc.getText("text").insert(0, typed);
    await shows(other);
  }
  await relay[Symbol.asyncDispose]();
  await damageEnvelopeOf(place, "notes");
  relay = await RelayProcess.start({ data: place.folder, port: Number(port), flags: withAdmin });
  try {
    await shows(relay);
    const repaired = /heddle_drift_repaired_total\{cause="damaged-store"\} 1/;
    let metrics = "";
    for (let attempt = 0; attempt < 500 && !repaired.test(metrics); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      metrics = await relay.metrics();
    }
    expect(metrics).toMatch(repaired);
  } finally {
    await relay[Symbol.asyncDispose]();
  }
});

test("[STO-13] another device key, or none, is shown by verify and by the start", async () => {
  await using place = await served("device");
  const key = path.join(place.folder, deviceKeyName);
  const pem = await readFile(key, "utf8");
  await unlink(key);
  expect((await runHeddle("verify", place.folder)).out).toMatch(/device key is missing/);
  {
    await using relay = await RelayProcess.start({ data: place.folder, flags: withAdmin });
    expect(await degradedOf(relay)).toEqual([{ reason: "device-changed" }]);
    expect(await relay.metrics()).toMatch(/heddle_device_changed 1/);
  }
  // The new one is the one on record now; the old one is another.
  expect((await runHeddle("verify", place.folder)).status).toBe(0);
  await writeFile(key, pem);
  const other = await runHeddle("verify", place.folder);
  expect(other).toMatchObject({ status: 1, out: expect.stringMatching(/device key is another/) });
  await writeFile(key, pem.replace("BEGIN", "BEGUN"));
  const damaged = await runHeddle("verify", place.folder);
  expect(damaged).toMatchObject({ status: 1, out: expect.stringMatching(/key cannot be read/) });
  const start = await runHeddle("relay", "--data", place.folder, "--port", "0");
  expect(start.status).toBe(1);
  expect(start.err).toMatch(/HEDDLE_STORAGE_CORRUPT/);
});

test("[STO-9] a restored store is still said to be one after a look inside and a start that failed", async () => {
  await using place = await served("restored");
  await using backups = await StoreFolder.make();
  const [backup, data] = ["backup", "data"].map((name) => path.join(backups.folder, name));
  expect(await runHeddle("backup", place.folder, backup!)).toMatchObject({ status: 0 });
  expect(await runHeddle("restore", backup!, data!)).toMatchObject({ status: 0 });
  expect(await runHeddle("inspect", data!)).toMatchObject({ status: 0 });
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as { port: number };
  const failed = await runHeddle("relay", "--data", data!, "--port", String(port));
  expect(failed.status).toBe(2);
  taken.close();
  {
    await using relay = await RelayProcess.start({ data: data!, flags: withAdmin });
    expect(await degradedOf(relay)).toMatchObject([{ reason: "store-rolled-back" }]);
    expect(await relay.metrics()).toMatch(/heddle_store_rolled_back\{reason="restored"\} 1/);
  }
  await using again = await RelayProcess.start({ data: data!, flags: withAdmin });
  expect(await degradedOf(again)).toEqual([]);
});

/** Past LevelDB's own checksums, which then find nothing: only reading the document does. */
async function damageEnvelopeOf(place: StoreFolder, name: string): Promise<void> {
  const { id } = testDocument(testEnvironment("names"), name);
  const prefix = Buffer.concat([Buffer.from("E"), Buffer.from(id, "hex")]);
  const entries = (await place.entries()).filter(([key]) => {
    return prefix.equals(key.subarray(0, prefix.length));
  });
  expect(entries.length).toBeGreaterThan(0);
  const [key, value] = entries[0]!;
  const damaged = Uint8Array.from(value);
  damaged[damaged.length - 3]! ^= 0x20;
  await place.raw((database) => database.write([{ type: "put", key, value: damaged }]));
}

function openNotes(relay: RelayProcess): StockClient {
  return connectStock({ url: relay.url.replace("http", "ws"), name: "notes", version: "3.1.0" });
}
