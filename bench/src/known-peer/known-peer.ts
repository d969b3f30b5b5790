import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { parseDocumentName, type HeddleErrorCode, type Logger } from "@heddle/core";
import { PeerHost, Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, nodeVerifier } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import {
  newConnectionCounters,
  PeerRole,
  type Connection,
  type ConnectionHandlers,
} from "@heddle/sync";
import * as Y from "yjs";

/**
 * What two replicas that know each other say when they meet again: many documents, a few changed while
 * they were apart, both started anew. On LevelDB, in one process, over a connection that takes a while
 * each way, so that round trips can be counted with a clock.
 *
 *   node bench/dist/known-peer/known-peer.js [documents] [changed] [milliseconds one way]
 */

const [documents = 10_000, changed = 5, oneWayMs = 250] = process.argv.slice(2).map(Number);
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const environment = nodeEnvironment(silent);
/** Documents that are written at a time: they share syncs. */
const together = 256;

/** One end of a pair in memory; what it is given arrives later at the other one. */
class DelayedConnection implements Connection {
  readonly bufferedBytes = 0;
  readonly isCongested = false;
  readonly counters = newConnectionCounters();
  readonly #delayMs: number;
  other!: DelayedConnection;
  #handlers: ConnectionHandlers | undefined;
  #isOver = false;

  private constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  static pair(delayMs: number): readonly [DelayedConnection, DelayedConnection] {
    const [a, b] = [new DelayedConnection(delayMs), new DelayedConnection(delayMs)];
    a.other = b;
    b.other = a;
    return [a, b];
  }

  listen(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): void {
    this.#later(() => this.other.#handlers?.onMessage(bytes.slice()));
  }

  close(code: HeddleErrorCode): void {
    this.#end(code);
    this.#later(() => this.other.#end(code));
  }

  pause(): void {}
  resume(): void {}

  #later(task: () => void): void {
    if (this.#delayMs > 0) setTimeout(task, this.#delayMs);
    else setImmediate(task);
  }

  #end(code: HeddleErrorCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers?.onClosed({ code, closeCode: 1000, reason: "", wasPolite: true });
  }
}

class Site implements AsyncDisposable {
  readonly replica: Replica;
  readonly peers: PeerHost;
  readonly countCursors: () => Promise<number>;
  readonly #close: () => Promise<void>;

  private constructor(
    replica: Replica,
    peers: PeerHost,
    countCursors: () => Promise<number>,
    close: () => Promise<void>,
  ) {
    this.replica = replica;
    this.peers = peers;
    this.countCursors = countCursors;
    this.#close = close;
  }

  static async open(folder: string): Promise<Site> {
    const store = await openLevelStore(folder, { environment });
    const parts = { store, environment, signer: ephemeralDeviceKey(), engine: "bench" };
    const replica = await Replica.open({ ...parts, idleMs: 50 });
    const wishes = { adopt: true, follow: true, hasOutbox: false, verifier: nodeVerifier };
    const peers = await PeerHost.open({ ...parts, ...wishes, role: PeerRole.relay, replica });
    const countCursors = async () => (await store.readCursors()).length;
    return new Site(replica, peers, countCursors, async () => {
      peers.stop();
      await replica.close();
      await store.close();
    });
  }

  async write(index: number): Promise<void> {
    const document = await this.replica.acquire(parseDocumentName(`document ${index}`));
    const ydoc = new Y.Doc();
    ydoc.getText("text").insert(0, "typed");
    document.submit(Y.encodeStateAsUpdate(ydoc), {});
    await document.whenSettled();
    this.replica.release(document);
  }

  get stored(): number {
    return this.peers.counters.envelopesStored;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function meet(a: Site, b: Site, delayMs: number): void {
  const [ofA, ofB] = DelayedConnection.pair(delayMs);
  a.peers.connect(ofA, "acceptor");
  b.peers.connect(ofB, "initiator");
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

const root = await mkdtemp(path.join(tmpdir(), "heddle-known-peer-"));
const folders = ["a", "b"].map((name) => path.join(root, name)) as [string, string];
try {
  {
    await using a = await Site.open(folders[0]);
    await using b = await Site.open(folders[1]);
    for (let first = 0; first < documents; first += together) {
      const last = Math.min(first + together, documents);
      await Promise.all(Array.from({ length: last - first }, (_, index) => a.write(first + index)));
    }
    const startedMs = performance.now();
    meet(a, b, 0);
    await until(() => b.stored === documents);
    const tookMs = performance.now() - startedMs;
    const { bytesSent, bytesReceived } = a.peers.counters;
    console.log(`first sync: ${documents} documents in ${(tookMs / 1000).toFixed(1)} s`);
    console.log(`  ${(tookMs / documents).toFixed(2)} ms and`);
    console.log(`  ${Math.round((bytesSent + bytesReceived) / documents)} bytes per document`);
    for (const site of [a, b]) await until(async () => (await site.countCursors()) === 1);
  }
  await using a = await Site.open(folders[0]);
  await using b = await Site.open(folders[1]);
  const step = Math.floor(documents / changed);
  for (let index = 0; index < changed; index++) await a.write(index * step);
  const startedMs = performance.now();
  meet(a, b, oneWayMs);
  await until(() => b.stored === changed);
  const storedMs = performance.now() - startedMs;
  await until(() => [a, b].every(({ peers }) => peers.machine?.isSettled === true));
  const { bytesSent, bytesReceived, framesSent, framesReceived } = a.peers.counters;
  const roundTrips = storedMs / (2 * oneWayMs);
  console.log(`known peer: ${changed} of ${documents} changed, ${oneWayMs} ms one way`);
  console.log(
    `  on the other disk after ${Math.round(storedMs)} ms: ${roundTrips.toFixed(1)} round trips`,
  );
  console.log(
    `  ${bytesSent + bytesReceived} bytes in ${framesSent + framesReceived} frames, both ways, when settled`,
  );
} finally {
  await rm(root, { recursive: true, force: true });
}
