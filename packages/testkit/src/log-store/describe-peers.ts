import {
  limits,
  type KeptFork,
  type LogBatch,
  type PeerAck,
  type RefusedEnvelope,
  type StoreId,
} from "@heddle/core";
import * as fc from "fast-check";
import { expect, it } from "vitest";

import { collectChunks, collectLog } from "../collect-log.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

const peers = ["1a", "2b", "3c"].map((byte) => byte.repeat(16) as StoreId);
const [first, second, third] = peers as [StoreId, StoreId, StoreId];

const nonce = (byte: number) => new Uint8Array(16).fill(byte);
const cursor = (store: StoreId) => ({ store, incarnation: nonce(1), arrival: 5 });

/** What every `LogStore` owes whoever talks to other stores. */
export function describePeers(harness: LogStoreHarness, modelRuns: number): void {
  const bench = StoreBench.use(harness);
  const ack = (store: StoreId, seq: number, document = bench.notes): PeerAck => {
    return { store, document: document.id, lane: bench.writer.lane.id, seq };
  };
  const acksOf = (store: StoreId) => collectChunks(bench.store.readAcks(store));
  const refusal = (seq: number, store: StoreId, document = bench.notes): RefusedEnvelope => {
    const { id: lane } = bench.writer.lane;
    return { document: document.id, lane, seq, store, code: 3, reason: "über 16 MiB", atMs: 9 };
  };
  const forkAt = async (seq: number): Promise<KeptFork> => {
    const [one, other] = [await bench.freshWriter(), await bench.freshWriter()];
    const branchOf = async (writer: typeof one) => {
      return (await writer.sealRun(bench.notes.id, 2)).map(({ bytes }) => bytes);
    };
    const [branchA, branchB] = [await branchOf(one), await branchOf(other)];
    return { document: bench.notes.id, lane: one.lane, seq, branchA, branchB, foundAtMs: 77 };
  };

  it("[STO-16] keeps the newest cursor of each peer through a restart, and numbers no group for it", async () => {
    const before = (await collectChunks(bench.store.readArrivals(0))).length;
    const incarnation = Buffer.from(nonce(1));
    const done = bench.store.append({
      cursors: [
        { store: second, incarnation, arrival: 7 },
        { store: first, incarnation: nonce(2), arrival: 2 ** 40 },
      ],
    });
    incarnation.fill(0xee);
    await done;
    await bench.store.append({ cursors: [{ store: second, incarnation: nonce(3), arrival: 0 }] });
    await bench.reopen();
    expect(await bench.store.readCursors()).toEqual([
      { store: first, incarnation: nonce(2), arrival: 2 ** 40 },
      { store: second, incarnation: nonce(3), arrival: 0 },
    ]);
    expect(await collectChunks(bench.store.readArrivals(0))).toHaveLength(before);
  });

  it("[STO-16] keeps the newest acknowledgement of each peer, document and lane", async () => {
    const other = await bench.openLane();
    const ofOther = { ...ack(first, 4), lane: other.lane.id };
    await bench.store.append({ acks: [ofOther, ack(first, 3), ack(second, 1)] });
    await bench.store.append({ acks: [ack(first, 9), ack(first, 2, bench.plans)] });
    const byDocument = [[ack(first, 9), ofOther], [ack(first, 2, bench.plans)]];
    if (bench.plans.id < bench.notes.id) byDocument.reverse();
    for (let opening = 1; opening <= 2; opening++) {
      expect(await acksOf(first)).toEqual(byDocument.flat());
      expect(await acksOf(second)).toEqual([ack(second, 1)]);
      expect(await acksOf(third)).toEqual([]);
      await bench.reopen();
    }
  });

  it("[STO-16] forgets a peer whole, and what follows in the same batch is new", async () => {
    const { store } = bench;
    await store.append({ cursors: peers.map(cursor), acks: peers.map((of) => ack(of, 4)) });
    await store.append({ forgetPeers: [first] });
    // These share a group, or follow each other.
    await Promise.all([
      store.append({ acks: [ack(second, 8), ack(second, 1, bench.plans)] }),
      store.append({ forgetPeers: [second], cursors: [cursor(second)], acks: [ack(second, 2)] }),
    ]);
    await bench.reopen();
    expect((await bench.store.readCursors()).map((kept) => kept.store)).toEqual([second, third]);
    expect(await acksOf(first)).toEqual([]);
    expect(await acksOf(second)).toEqual([ack(second, 2)]);
    expect(await acksOf(third)).toEqual([ack(third, 4)]);
  });

  it("[STO-17] keeps both branches of a fork, and numbers a group for it", async () => {
    const forks = [await forkAt(2), await forkAt(7)];
    const number = await bench.store.append({ forks: [forks[1]!] });
    expect(await bench.store.append({ forks: [forks[0]!] })).toBe(number + 1);
    const large: KeptFork = { ...(await forkAt(3)), branchA: [], branchB: [] };
    await bench.store.append({ forks: [large] });
    await bench.reopen();
    const expected = [...forks, large].toSorted((a, b) => (a.lane.id < b.lane.id ? -1 : 1));
    expect(await bench.store.readForks(bench.notes.id)).toEqual(expected);
    expect(await bench.store.readForks(bench.plans.id)).toEqual([]);
    const other = { ...(await forkAt(4)), document: bench.plans.id };
    await bench.store.append({ forks: [other] });
    const documents = await collectChunks(bench.store.readForkedDocuments());
    expect(documents.toSorted()).toEqual([bench.notes.id, bench.plans.id].toSorted());
  });

  it("[STO-17] refuses a fork that is larger than its cap, and goes on", async () => {
    const fork = await forkAt(1);
    const branchA = [new Uint8Array(limits.forkBytesMax), Uint8Array.of(1)];
    const append = bench.store.append({ forks: [{ ...fork, branchA }] });
    await expect(append).rejects.toThrow("within their cap");
    expect(bench.store.state).toEqual({ name: "open" });
    expect(await bench.store.readForks(bench.notes.id)).toEqual([]);
  });

  it("[STO-17] keeps what a peer refused until it is taken back, beside a log that it does not change", async () => {
    const { store, writer, notes, plans } = bench;
    await store.append({ envelopes: [writer.seal(notes.id), writer.seal(notes.id)] });
    const before = await collectLog(store, notes.id);
    const refused = [refusal(2, first), refusal(2, second), refusal(1, second)];
    await store.append({ refused: [...refused, refusal(5, first, plans)] });
    await store.append({ refused: [{ ...refusal(1, second), code: 2, reason: "", atMs: 10 }] });
    await bench.reopen();
    const read = (document?: typeof notes) => {
      return collectChunks(bench.store.readRefused(document?.id));
    };
    const last = { ...refusal(1, second), code: 2, reason: "", atMs: 10 };
    expect(await read(notes)).toEqual([last, refusal(2, first), refusal(2, second)]);
    expect(await read()).toHaveLength(4);
    expect(await collectLog(bench.store, notes.id)).toEqual(before);
    await bench.store.append({ accept: [refusal(2, first), refusal(40, first)] });
    await bench.store.append({ accept: [refusal(2, second)], refused: [refusal(2, second)] });
    expect(await read(notes)).toEqual([last, refusal(2, second)]);
  });

  it("[STO-16][STO-17] holds what a plain model holds, through any history", async () => {
    const steps = fc.array(
      fc.record({
        what: fc.constantFrom("ack", "forget", "refuse", "accept", "reopen"),
        peer: fc.nat(2),
        seq: fc.integer({ min: 1, max: 4 }),
      }),
      { maxLength: 30 },
    );
    const property = fc.asyncProperty(steps, async (history) => {
      const acks = new Map<StoreId, number>();
      const refused = new Set<string>();
      const accept = await collectChunks(bench.store.readRefused());
      await bench.store.append({ forgetPeers: peers, accept });
      let appends: Promise<unknown>[] = [];
      for (const { what, peer, seq } of history) {
        const store = peers[peer]!;
        const append = (batch: LogBatch) => bench.store.append(batch);
        if (what === "ack") {
          acks.set(store, seq);
          appends.push(append({ acks: [ack(store, seq)] }));
        } else if (what === "forget") {
          acks.delete(store);
          appends.push(append({ forgetPeers: [store] }));
        } else if (what === "refuse") {
          refused.add(`${seq} ${store}`);
          appends.push(append({ refused: [refusal(seq, store)] }));
        } else if (what === "accept") {
          refused.delete(`${seq} ${store}`);
          appends.push(append({ accept: [refusal(seq, store)] }));
        } else {
          await Promise.all(appends);
          appends = [];
          await bench.reopen();
        }
      }
      await Promise.all(appends);
      for (const store of peers) {
        expect((await acksOf(store)).map(({ seq }) => seq)).toEqual(
          acks.has(store) ? [acks.get(store)] : [],
        );
      }
      const read = await collectChunks(bench.store.readRefused(bench.notes.id));
      expect(read.map(({ seq, store }) => `${seq} ${store}`)).toEqual([...refused].toSorted());
    });
    await fc.assert(property, { numRuns: modelRuns });
  });
}
