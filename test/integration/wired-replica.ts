import {
  openSpaceId,
  verifyLane,
  verifyRun,
  type DocumentEntry,
  type Envelope,
  type HeddleErrorCode,
} from "@heddle/core";
import { PeerRole, Replication, type Connection, type SyncEffect } from "@heddle/sync";
import {
  SimDisk,
  SimRandom,
  SimStore,
  SimTime,
  testEnvironment,
  testHash,
  TestWriter,
  testVerifier,
} from "@heddle/testkit";

const tickMs = 100;

/**
 * The smallest host of the wire: the state machine that ships, a simulated store, and connections of
 * whatever transport.
 */
export class WiredReplica {
  readonly replication: Replication;
  readonly store: SimStore;
  readonly errors: HeddleErrorCode[] = [];
  readonly #writer: TestWriter;
  readonly #signer;
  readonly #connections = new Map<number, Connection>();
  readonly #startedMs = performance.now();
  #keys = 0;
  #isOver = false;
  readonly #run: () => Promise<void>;
  #ran: Promise<void> | undefined;

  private constructor(seed: number, store: SimStore, time: SimTime, writer: TestWriter) {
    const environment = testEnvironment(seed);
    this.store = store;
    this.#writer = writer;
    this.#signer = environment.signer;
    this.replication = new Replication({
      hash: testHash,
      random: environment.random,
      space: openSpaceId(testHash),
      store: store.storeId,
      incarnations: store.incarnations,
      lastArrival: store.lastArrival,
      devicePublicKey: environment.signer.devicePublicKey,
      role: PeerRole.replica,
      engine: "test",
      adopt: true,
      follow: true,
    });
    this.#run = async () => {
      let tickedMs = 0;
      while (!this.#isOver) {
        await time.step(time.nowMs + 1);
        if (this.#nowMs - tickedMs >= tickMs) {
          tickedMs = this.#nowMs;
          this.replication.tick(tickedMs);
          this.#drain();
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
  }

  static async open(seed: number): Promise<WiredReplica> {
    const time = new SimTime();
    const random = new SimRandom(seed);
    const disk = new SimDisk(time, random, { failedWriteRatio: 0, syncMsMax: 2 }, new Uint8Array());
    const opening = { isReady: false };
    const store = SimStore.open(testHash, disk, random, () => {
      opening.isReady = true;
    })!;
    while (!opening.isReady) await time.step(time.nowMs + 1);
    const writer = await TestWriter.open(testEnvironment(seed));
    const replica = new WiredReplica(seed, store, time, writer);
    replica.replication.writes(writer.lane.id);
    replica.#ran = replica.#run();
    return replica;
  }

  /** Writes `count` envelopes; they are on disk when it resolves. */
  async write(entry: DocumentEntry, count: number): Promise<void> {
    this.replication.want(entry, this.#nowMs);
    const run = await this.#writer.sealRun(entry.id, count);
    const lanes = this.store.lanes.has(this.#writer.lane.id) ? [] : [this.#writer.lane];
    await new Promise<void>((resolve) => {
      this.store.append({ lanes, documents: [entry], envelopes: run }, (_isGood, arrival) => {
        this.replication.storedHere(entry, run, this.#writer.lane, arrival, this.#nowMs);
        this.#drain();
        resolve();
      });
    });
  }

  /** Ids of what is on disk of a document, sorted: equal logs have equal lists. */
  idsOf(entry: DocumentEntry): string[] {
    const log = this.store.documents.get(entry.id)?.log ?? [];
    return log.map(({ id }) => Buffer.from(id).toString("hex")).toSorted();
  }

  attach(connection: Connection, side: "initiator" | "acceptor"): void {
    const key = ++this.#keys;
    this.#connections.set(key, connection);
    this.replication.connect(key, side, this.#nowMs);
    connection.listen({
      onMessage: (bytes) => {
        this.replication.receive(key, bytes, this.#nowMs);
        this.#drain();
      },
      // CREDIT keeps what waits far below the bounds; nothing has to be held back here.
      onDrain: () => undefined,
      onClosed: ({ code }) => {
        this.#connections.delete(key);
        this.errors.push(code);
        this.replication.disconnected(key, this.#nowMs);
        this.#drain();
      },
    });
    this.#drain();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  async stop(code: HeddleErrorCode): Promise<void> {
    this.replication.stop(code, this.#nowMs);
    this.#drain();
    this.#isOver = true;
    await this.#ran;
  }

  get #nowMs(): number {
    return performance.now() - this.#startedMs;
  }

  #drain(): void {
    for (;;) {
      const effects = this.replication.takeEffects();
      if (effects.length === 0) return;
      for (const effect of effects) this.#carryOut(effect);
    }
  }

  #carryOut(effect: SyncEffect): void {
    const { store } = this;
    switch (effect.type) {
      case "send":
        return this.#connections.get(effect.peer)?.send(effect.bytes);
      case "close":
        return this.#connections.get(effect.peer)?.close(effect.code);
      case "keepCursor":
        return store.append({ cursor: { store: effect.store, cursor: effect.cursor } });
      case "sign":
        return this.#later(effect.id, this.#signer.sign(effect.bytes));
      case "verify": {
        const { devicePublicKey, bytes, signature } = effect;
        return this.#later(effect.id, testVerifier.verify(devicePublicKey, bytes, signature));
      }
      case "verifyLane":
        return this.#later(effect.id, verifyLane(effect.lane, testVerifier));
      case "verifyRun": {
        const { lane, isLaneNew, run } = effect;
        const verifying = async () =>
          (!isLaneNew || (await verifyLane(lane, testVerifier))) &&
          (await verifyRun(run, lane.devicePublicKey, testVerifier));
        return this.#later(effect.id, verifying());
      }
      case "load": {
        const document = store.documents.get(effect.document);
        return this.#later(effect.id, Promise.resolve(document && { ...document }));
      }
      case "changes": {
        const changed = store.changedAfter(effect.after).map(({ entry }) => entry);
        return this.#later(effect.id, Promise.resolve(changed));
      }
      case "read":
        return this.#later(effect.id, Promise.resolve(store.readAbove(effect)));
      case "store":
        return this.#store(effect);
      default:
        // Events and proofs of forks: the logs are compared at the end.
        return undefined;
    }
  }

  #store({ entry, runs, id }: Extract<SyncEffect, { readonly type: "store" }>): void {
    const lanes = runs.map(({ lane }) => lane).filter((lane) => !this.store.lanes.has(lane.id));
    const envelopes: Envelope[] = runs.flatMap(({ run }) => [...run]);
    this.store.append({ lanes, documents: [entry], envelopes }, (_isGood, arrival) => {
      const verdicts = runs.map(() => "stored" as const);
      const answer = { outcome: "stored", verdicts, arrival } as const;
      this.replication.complete<"store">(id, answer, this.#nowMs);
      this.#drain();
    });
  }

  #later(id: number, work: Promise<unknown>): void {
    void work.then((answer) => {
      if (this.#isOver) return;
      this.replication.complete(id, answer as never, this.#nowMs);
      this.#drain();
    });
  }
}
