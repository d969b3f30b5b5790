import { type HeddleErrorCode, type LaneId } from "@heddle/core";
import { PeerRole, type SyncEvent, type SyncLimits } from "@heddle/sync";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { digestsOf, storedDigests, Typist } from "../checkpoint.fixture.ts";
import { nodeVerifier } from "../node-environment.ts";
import { environment, signer } from "../replica.fixture.ts";
import { covering, Holder, notesId } from "./adopt.fixture.ts";
import { PairedConnection } from "@heddle/testkit";
import { PeerHost } from "./peer-host.ts";

// Goal: replicas that lack what others have dropped come to hold the same, over the wire.
// Method: hosts over replicas in memory whose checkpoints are made when the test says so.

class Peer {
  readonly holder: Holder;
  readonly host: PeerHost;
  readonly events: SyncEvent[];

  private constructor(holder: Holder, host: PeerHost, events: SyncEvent[]) {
    this.holder = holder;
    this.host = host;
    this.events = events;
  }

  static async on(holder: Holder, limits: Partial<SyncLimits> = {}): Promise<Peer> {
    const events: SyncEvent[] = [];
    const { store, replica } = holder;
    const parts = { store, replica, environment, signer, verifier: nodeVerifier, limits };
    const settings = {
      role: PeerRole.relay,
      engine: "test",
      adopt: true,
      follow: true,
      hasOutbox: false,
    } as const;
    const onEvent = (event: SyncEvent) => void events.push(event);
    return new Peer(holder, await PeerHost.open({ ...parts, ...settings, onEvent }), events);
  }

  static async open(limits?: Partial<SyncLimits>): Promise<Peer> {
    return Peer.on(await Holder.open(), limits);
  }

  get counters() {
    return this.host.machine!.counters;
  }

  /** Returns what cuts the connection. */
  meet(other: Peer): (code: HeddleErrorCode) => void {
    const [here, there] = PairedConnection.pair();
    this.host.connect(here, "initiator");
    other.host.connect(there, "acceptor");
    return (code) => here.close(code);
  }

  async shows(updates: readonly Uint8Array[]): Promise<void> {
    const wanted = digestsOf(updates);
    await until(() => digestsOf([Y.encodeStateAsUpdate(this.holder.screen)]) === wanted);
    expect(await storedDigests(this.holder.store, notesId)).toBe(wanted);
    expect(this.holder.resets).toBe(0);
  }

  async close(): Promise<void> {
    this.host.stop();
    await this.holder.close();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function typed({ holder }: Peer, typist: Typist, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await holder.write(typist.type(turn * 3 + count));
}

test("[WIR-14][I5] who was away while a log was dropped gets a checkpoint and the tail, and passes both on", async () => {
  const ann = new Typist(7);
  const [a, b, c] = [await Peer.open(), await Peer.open(), await Peer.open()];
  await typed(a, ann, 60);
  await a.holder.checkpoint();
  await typed(a, ann, 5);
  const part = a.meet(b);
  await b.shows(ann.updates);
  expect(b.counters).toMatchObject({ checkpointsAdopted: 1, checkpointsRefused: 0 });
  await until(() => a.host.machine!.isSettled && b.host.machine!.isSettled);
  part("HEDDLE_SESSION_CLOSED");
  await a.close();
  b.meet(c);
  await c.shows(ann.updates);
  const bob = new Typist(300);
  await typed(c, bob, 5);
  await b.shows([...ann.updates, ...bob.updates]);
  expect(c.counters).toMatchObject({ checkpointsAdopted: 1, incomplete: 0, signaturesBad: 0 });
  for (const peer of [b, c]) await peer.close();
});

test("[WIR-14] two that pruned apart hold the same afterwards, and write on together", async () => {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [a, b] = [await Peer.open(), await Peer.open()];
  await typed(a, ann, 30);
  await typed(b, bob, 30);
  for (const { holder } of [a, b]) await holder.checkpoint();
  await typed(a, ann, 3);
  await typed(b, bob, 3);
  a.meet(b);
  for (const peer of [a, b]) await peer.shows([...ann.updates, ...bob.updates]);
  await typed(a, ann, 3);
  await typed(b, bob, 3);
  for (const peer of [a, b]) await peer.shows([...ann.updates, ...bob.updates]);
  await until(() => a.host.machine!.isSettled && b.host.machine!.isSettled);
  for (const { counters } of [a, b]) expect(counters).toMatchObject({ checkpointsRefused: 0 });
  for (const peer of [a, b]) await peer.close();
});

test("[WIR-14] a checkpoint that is built while peers are there is offered to who comes next", async () => {
  const ann = new Typist(7);
  const policy = { envelopes: 20, quietMs: 5, restMsMin: 1 };
  const holder = await Holder.open(undefined, { history: "prune", checkpointPolicy: policy });
  const [a, b, c] = [await Peer.on(holder), await Peer.open(), await Peer.open()];
  a.meet(b);
  await typed(a, ann, 3);
  await b.shows(ann.updates);
  await typed(a, ann, 40);
  await until(() => holder.replica.counters.envelopesPruned >= 20);
  // The machine has had the document open all the time.
  a.meet(c);
  await c.shows(ann.updates);
  expect(c.counters.checkpointsAdopted).toBe(1);
  await b.shows(ann.updates);
  expect(b.counters.checkpointsAdopted).toBe(0);
  for (const peer of [a, b, c]) await peer.close();
});

test("[WIR-14][CKP-14] a checkpoint that covers what it does not hold is refused, counted and told", async () => {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [a, b] = [await Peer.open(), await Peer.open()];
  await typed(b, bob, 9);
  await typed(a, ann, 40);
  await a.holder.checkpoint();
  const [[lane, position]] = [...(await b.holder.document.whenDurable())] as [[LaneId, never]];
  const forgery = await covering(await a.holder.offer(), ({ vector, clients }) => {
    return { vector: new Map([...vector, [lane, position]]), clients };
  });
  const { header, vector, payload } = forgery;
  const parts = { header: header.bytes, vector: [vector], state: payload };
  await a.holder.store.append({ checkpoints: [{ document: notesId, number: 9, ...parts }] });
  a.meet(b);
  await until(() => b.counters.checkpointsRefused === 1);
  expect(b.events).toContainEqual(
    expect.objectContaining({ name: "checkpoint.refused", reason: "content" }),
  );
  await b.shows(bob.updates);
  expect(await b.holder.store.readCheckpoints(notesId)).toEqual([]);
  for (const peer of [a, b]) await peer.close();
});
