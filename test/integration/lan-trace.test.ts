import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { afterEach, beforeEach, expect, test } from "vitest";

import { isRecordingThere, recordedEnd, typedPlan } from "../e2e/typed-plan.ts";
import { lanesIn } from "../faults/lanes-in.ts";
import { playTrace, turnsOf, type TraceTransaction } from "../faults/trace-seat.ts";
import { repositoryFolder } from "../processes/relay-process.ts";
import { connected, LanReplicas, pair } from "./lan-replicas.ts";
import { PeeredRelay } from "./peered-relay.ts";
import { connect, until } from "./stock-client.ts";

// Goal: a session of two people on one LAN, without a relay, ends as it was recorded; a relay that appears
// later is given all of it, once.
// Method: two replicas on loopback, mutual TLS between them; each types on top of exactly what its person saw.

/** All 26,078 transactions take minutes: HEDDLE_TRACE=all. */
const all = process.env["HEDDLE_TRACE"] === "all";
const transactions = all ? Infinity : 2_000;
const limitMs = all ? 1_800_000 : 120_000;
const file = path.join(repositoryFolder, "../shared/data/editing-traces/friendsforever.json.gz");

/** Both are of this process: neither may keep the other from its turn. */
const onTyped = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let site: LanReplicas;
beforeEach(() => {
  site = new LanReplicas();
});
afterEach(() => site[Symbol.asyncDispose]());

test.skipIf(!isRecordingThere)(
  "[LAN-9, WIR-25] two people type a recorded session on the LAN alone, and a relay that appears has all of it once",
  async () => {
    const { txns, numAgents } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
      readonly txns: readonly TraceTransaction[];
      readonly numAgents: number;
    };
    const turns = turnsOf(txns.slice(0, transactions), numAgents);
    const endContent = all ? recordedEnd() : typedPlan(transactions).endContent;
    const ada = await site.open("ada");
    const bo = await site.open("bo", { addresses: [ada.address] });
    await pair(ada, bo);
    await connected(bo);
    const documents = await Promise.all([ada, bo].map(({ replica }) => replica.open("trace")));
    const startMs = performance.now();
    await Promise.all(
      documents.map((document, agent) => {
        const onWaiting = (): void => void document.whenSaved();
        return playTrace({ agent, turns, ydoc: document.ydoc, onWaiting, onTyped });
      }),
    );
    const playedMs = performance.now() - startMs;
    for (const document of documents) {
      await until(() => document.ydoc.getText("text").toJSON() === endContent, "its end", limitMs);
      await document.whenSaved();
      await document.whenReplicated(1);
    }
    await Promise.all([ada.close(), bo.close()]);
    const [atAda, atBo] = [await lanesIn(ada.folder), await lanesIn(bo.folder)];
    expect(atAda.envelopes).toBe(atAda.distinct);
    expect([...atBo.tops].toSorted()).toEqual([...atAda.tops].toSorted());

    await using relay = await PeeredRelay.start();
    const again = await site.open("ada", { relay: relay.url });
    const boAgain = await site.open("bo", { relay: relay.url, addresses: [again.address] });
    await connected(boAgain);
    for (const { replica } of [again, boAgain]) {
      await (await replica.open("trace")).whenRelayed();
      expect(replica.outbox).toMatchObject({ envelopes: 0, bytes: 0 });
    }
    using reader = connect(relay.url, "trace");
    await until(() => reader.text.toString() === endContent, "the relay has the end", limitMs);
    const { envelopesStored, envelopesReceived, duplicates } = relay.peers.counters;
    expect(envelopesStored).toBe(atAda.distinct);
    expect({ envelopesReceived, duplicates }).toEqual({
      envelopesReceived: atAda.distinct,
      duplicates: 0,
    });
    const { framesSent, bytesSent } = again.replica.peers!.counters;
    console.info(
      `${turns.map(({ length }) => length).join(" and ")} turns in ${Math.round(playedMs)} ms, ` +
        `${atAda.distinct} envelopes; the relay received ${envelopesReceived}, ${duplicates} of them again; ` +
        `one of the two sent it ${framesSent} frames, ${bytesSent} bytes`,
    );
  },
  limitMs,
);
