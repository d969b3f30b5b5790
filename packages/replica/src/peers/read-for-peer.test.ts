import { equalBytes, MemoryDisk, verifyRun, type Envelope, type LaneId } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { environment, notes, openReplica, signer } from "../replica.fixture.ts";
import { ephemeralDeviceKey, nodeVerifier } from "../node-environment.ts";
import { KnownLanes } from "./known-lanes.ts";
import { readForPeer } from "./read-for-peer.ts";

const { hash } = environment;

async function written(count: number) {
  const { store, replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const ydoc = new Y.Doc();
  ydoc.on("update", (update: Uint8Array) => void document.submit(update, {}));
  for (let index = 0; index < count; index++) {
    ydoc.getText("text").insert(index, "x");
    await document.whenSettled();
  }
  const reading = { store, hash, signer, lanes: new KnownLanes(store) };
  return { document: document.entry.id, reading };
}

/** Stretches of one lane, each up to and including a signature. */
function runsOf(envelopes: readonly Envelope[]): Envelope[][] {
  const runs: Envelope[][] = [[]];
  for (const envelope of envelopes) {
    runs.at(-1)!.push(envelope);
    if (envelope.signature) runs.push([]);
  }
  expect(runs.pop()).toEqual([]);
  return runs;
}

test("[WIR-16] what this device wrote unsigned is signed in stretches when a peer asks for it", async () => {
  const { document, reading } = await written(100);
  const { envelopes, lanes } = await readForPeer(reading, {
    document,
    above: new Map(),
    bytesMax: 1_000_000,
  });
  expect(envelopes.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  const runs = runsOf(envelopes);
  expect(runs.length).toBeGreaterThan(1);
  for (const run of runs) {
    const { devicePublicKey } = lanes.get(run[0]!.lane)!;
    expect(await verifyRun(run, devicePublicKey, nodeVerifier)).toBe(true);
  }
});

test("a reading ends at about the bytes that were asked for, and the next goes on there", async () => {
  const { document, reading } = await written(50);
  const above = new Map<LaneId, number>();
  const seqs: number[] = [];
  for (;;) {
    const { envelopes } = await readForPeer(reading, { document, above, bytesMax: 1_000 });
    if (envelopes.length === 0) break;
    expect(envelopes.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(2_000);
    expect(envelopes.at(-1)?.signature).toBeDefined();
    for (const { lane, seq } of envelopes) above.set(lane, seq);
    seqs.push(...envelopes.map(({ seq }) => seq));
  }
  expect(seqs).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
});

test("[WIR-16] what another device has not signed is not given away", async () => {
  const { document, reading } = await written(3);
  const other = ephemeralDeviceKey();
  expect(equalBytes(other.devicePublicKey, signer.devicePublicKey)).toBe(false);
  const range = { document, above: new Map(), bytesMax: 1_000_000 };
  expect((await readForPeer({ ...reading, signer: other }, range)).envelopes).toEqual([]);
});
