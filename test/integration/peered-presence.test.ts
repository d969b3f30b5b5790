import { expect, test } from "vitest";

import { gatedStore } from "./gated-store.ts";
import { PeeredRelay } from "./peered-relay.ts";
import { connect, sleep, synced, until, type StockClient } from "./stock-client.ts";

type HungSocket = { send: () => void; readonly pause: () => void; readonly terminate: () => void };
type Caret = Readonly<Record<string, unknown>>;

/** What a client is shown of the presence of another. */
function seenOf(there: StockClient, at: StockClient): Caret | undefined {
  return at.provider.awareness.getStates().get(there.ydoc.clientID);
}

function show(client: StockClient, name: string): void {
  client.provider.awareness.setLocalState({ name });
}

/** Three relays of which each speaks with both others. */
class Triangle implements AsyncDisposable {
  readonly relays: readonly [PeeredRelay, PeeredRelay, PeeredRelay];
  /** Cuts the third off from the first. */
  readonly cut: () => void;

  private constructor(...relays: readonly [PeeredRelay, PeeredRelay, PeeredRelay]) {
    const [a, b, c] = relays;
    this.relays = relays;
    b.dial(a.url);
    this.cut = c.dial(a.url);
    c.dial(b.url);
  }

  static async start(): Promise<Triangle> {
    const [a, b] = [await PeeredRelay.start(), await PeeredRelay.start()];
    return new Triangle(a, b, await PeeredRelay.start());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.relays.toReversed()) await relay[Symbol.asyncDispose]();
  }
}

/** Enters, and writes, so that there is a document. */
async function enterWriting(relay: PeeredRelay, name: string): Promise<StockClient> {
  const client = await enter(relay, name);
  client.text.insert(0, "a document");
  return client;
}

async function enter(relay: PeeredRelay, name: string): Promise<StockClient> {
  const client = connect(relay.url, "notes");
  await synced(client);
  show(client, name);
  return client;
}

/** EPHEMERAL frames that all of them have sent. */
function framesOf(relays: readonly PeeredRelay[]): number {
  return relays.reduce((sum, { peers }) => sum + (peers.machine?.counters.ephemeralsSent ?? 0), 0);
}

/** Two relays, the second of which dials the first, and one who sees another across them. */
class Couple implements AsyncDisposable {
  readonly first: PeeredRelay;
  readonly second: PeeredRelay;
  readonly ann: StockClient;
  readonly bob: StockClient;

  private constructor(
    [first, second]: readonly [PeeredRelay, PeeredRelay],
    [ann, bob]: readonly [StockClient, StockClient],
  ) {
    this.first = first;
    this.second = second;
    this.ann = ann;
    this.bob = bob;
  }

  /** Bob sees ann. */
  static async start(): Promise<Couple> {
    const [first, second] = [await PeeredRelay.start(), await PeeredRelay.start()];
    second.dial(first.url);
    const ann = await enterWriting(first, "ann");
    const bob = await enter(second, "bob");
    await until(() => seenOf(ann, bob)?.["name"] === "ann", "bob sees ann");
    return new Couple([first, second], [ann, bob]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bob[Symbol.dispose]();
    this.ann[Symbol.dispose]();
    await this.second[Symbol.asyncDispose]();
    await this.first[Symbol.asyncDispose]();
  }
}

/** Waits until nothing is said for a while; that is less than the time between renewals. */
async function quiet(relays: readonly PeeredRelay[]): Promise<void> {
  let frames = framesOf(relays);
  let sinceMs = performance.now();
  await until(() => {
    if (framesOf(relays) !== frames) sinceMs = performance.now();
    frames = framesOf(relays);
    return performance.now() - sinceMs > 2_000;
  }, "nothing is said any more");
}

test("[RLY-18] presence of stock clients is seen at another relay, and ends with them", async () => {
  await using couple = await Couple.start();
  const { first, second, ann, bob } = couple;
  await until(() => seenOf(bob, ann)?.["name"] === "bob", "ann sees bob");
  show(ann, "ann, who moved");
  await until(() => seenOf(ann, bob)?.["name"] === "ann, who moved", "bob sees ann move");
  ann.provider.destroy();
  await until(() => seenOf(ann, bob) === undefined, "ann is gone for bob");
  expect(first.relay.counters.awarenessIgnored + second.relay.counters.awarenessIgnored).toBe(0);
});

test("[RLY-18] relays in a triangle show everybody to everybody, and are quiet then", async () => {
  await using triangle = await Triangle.start();
  const { relays } = triangle;
  const [a, b, c] = relays;
  using ann = await enterWriting(a, "ann");
  using bob = await enter(b, "bob");
  using cat = await enter(c, "cat");
  const everybody = [ann, bob, cat];
  await until(() => {
    return everybody.every((at) => everybody.every((there) => seenOf(there, at) !== undefined));
  }, "everybody sees everybody");
  await quiet(relays);
  const atRest = framesOf(relays);
  for (let move = 0; move < 10; move++) show(ann, `ann ${move}`);
  await until(() => [bob, cat].every((at) => seenOf(ann, at)?.["name"] === "ann 9"), "ann moves");
  await quiet(relays);
  // To b and c, and between those at most once in each direction; moves may come together.
  expect(framesOf(relays) - atRest).toBeLessThanOrEqual(10 * 4);
  expect(relays.map(({ relay }) => relay.counters.awarenessIgnored)).toEqual([0, 0, 0]);
  bob.provider.destroy();
  await until(() => [ann, cat].every((at) => seenOf(bob, at) === undefined), "bob is gone");
});

test("[RLY-18] who is behind a relay that is gone is gone", async () => {
  await using triangle = await Triangle.start();
  const [a, b, c] = triangle.relays;
  using ann = await enterWriting(a, "ann");
  using bob = await enter(b, "bob");
  using cat = await enter(c, "cat");
  await until(() => [bob, cat].every((at) => seenOf(ann, at) !== undefined), "ann is seen");
  await until(() => seenOf(cat, bob) !== undefined, "cat is seen");
  ann.provider.shouldConnect = false;
  await a[Symbol.asyncDispose]();
  await until(() => [bob, cat].every((at) => seenOf(ann, at) === undefined), "ann is gone");
  expect(seenOf(cat, bob)).toBeDefined();
  await quiet([b, c]);
});

test("[RLY-18] a relay where nobody has the document open passes presence on", async () => {
  await using a = await PeeredRelay.start();
  await using middle = await PeeredRelay.start();
  await using c = await PeeredRelay.start();
  middle.dial(a.url);
  c.dial(middle.url);
  using ann = await enterWriting(a, "ann");
  using cat = await enter(c, "cat");
  await until(() => seenOf(ann, cat) !== undefined, "cat sees ann");
  await until(() => seenOf(cat, ann) !== undefined, "ann sees cat");
  ann.provider.destroy();
  await until(() => seenOf(ann, cat) === undefined, "ann is gone for cat");
});

test("[RLY-18] one who loses a way to a relay sees its clients by another at once", async () => {
  await using triangle = await Triangle.start();
  const [a, , c] = triangle.relays;
  using ann = await enterWriting(a, "ann");
  using cat = await enter(c, "cat");
  await until(() => seenOf(ann, cat) !== undefined, "cat sees ann");
  await until(() => c.peers.sessionCount === 2, "both ways are open");
  triangle.cut();
  await until(() => c.peers.sessionCount === 1, "one is left");
  // Renewals are 15 s apart: it does not wait for one.
  await until(() => seenOf(ann, cat) !== undefined, "cat sees ann again", 10_000);
});

test("[RLY-12] a client of one relay cannot take the presence of one who is alive at another", async () => {
  await using couple = await Couple.start();
  const { second: b, ann, bob } = couple;
  const forger = connect(b.url, "notes");
  await synced(forger);
  const { awareness } = forger.provider;
  awareness.clientID = ann.ydoc.clientID;
  awareness.meta.set(ann.ydoc.clientID, { clock: 1_000, lastUpdated: Date.now() });
  awareness.setLocalState({ name: "not ann" });
  await until(() => b.relay.counters.awarenessIgnored > 0, "the claim is heard");
  await sleep(4_500);
  expect(seenOf(ann, bob)?.["name"]).toBe("ann");
  expect(b.relay.counters.awarenessTakeovers).toBe(0);
  forger[Symbol.dispose]();
});

test("[RLY-18] who moves to another relay while the old connection hangs is seen there within seconds", async () => {
  await using couple = await Couple.start();
  const { second: b, ann, bob } = couple;
  // The process hangs as far as this relay can tell: nothing comes from there any more.
  const hung = ann.provider.ws as unknown as HungSocket;
  hung.pause();
  hung.send = () => undefined;
  const moved = connect(b.url, "notes");
  await synced(moved);
  const { awareness } = moved.provider;
  const clock = ann.provider.awareness.meta.get(ann.ydoc.clientID)!.clock;
  awareness.clientID = ann.ydoc.clientID;
  awareness.meta.set(ann.ydoc.clientID, { clock, lastUpdated: Date.now() });
  awareness.setLocalState({ name: "ann, elsewhere" });
  await until(() => seenOf(ann, bob)?.["name"] === "ann, elsewhere", "bob sees her move");
  moved[Symbol.dispose]();
  ann.provider.shouldConnect = false;
  hung.terminate();
});

test("[RLY-6] over two relays a caret does not overtake the text that it stands in", async () => {
  const gated = await gatedStore();
  await using a = await PeeredRelay.start();
  await using b = await PeeredRelay.start({}, gated.store);
  b.dial(a.url);
  using ann = await enterWriting(a, "ann");
  using bob = await enter(b, "bob");
  await until(() => seenOf(ann, bob)?.["name"] === "ann" && bob.text.length > 0, "bob is there");
  gated.hold();
  ann.text.insert(ann.text.length, ", and more");
  show(ann, "ann behind more");
  await until(() => gated.waiting > 0, "the text is on its way to disk");
  const { machine } = b.peers;
  const before = machine!.counters.framesReceived;
  using cat = await enter(a, "cat");
  await until(() => machine!.counters.framesReceived > before, "the wire goes on");
  await sleep(200);
  expect([seenOf(ann, bob)?.["name"], seenOf(cat, bob), bob.text.length]).toEqual([
    "ann",
    undefined,
    10,
  ]);
  const lengths: number[] = [];
  bob.provider.awareness.on("change", () => lengths.push(bob.text.length));
  gated.release();
  await until(() => seenOf(ann, bob)?.["name"] === "ann behind more", "the caret arrives");
  expect(lengths.every((length) => length === 20)).toBe(true);
});
