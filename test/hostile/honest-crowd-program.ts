import { createInterface } from "node:readline";

import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/**
 * People who write in documents of their own while somebody attacks the relay: a writer and a reader
 * for each, stock providers, a letter every 100 ms. On "report" it prints what they noticed since the
 * last one, and on "stop" for the last time.
 */
const [url = "", documents = "20"] = process.argv.slice(2);

interface Pair {
  readonly writer: WebsocketProvider;
  readonly reader: WebsocketProvider;
}

const latenciesMs: number[] = [];
let disconnects = 0;

function connect(name: string): WebsocketProvider {
  const provider = new WebsocketProvider(url, name, new Y.Doc(), {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
  });
  provider.on("connection-close", () => disconnects++);
  return provider;
}

function openPair(index: number): Pair {
  const pair = { writer: connect(`honest-${index}`), reader: connect(`honest-${index}`) };
  listOf(pair.reader).observe(({ changes }) => {
    for (const { insert } of changes.delta) {
      if (!Array.isArray(insert) || !pair.reader.synced) continue;
      for (const writtenMs of insert as number[]) latenciesMs.push(performance.now() - writtenMs);
    }
  });
  return pair;
}

function listOf(provider: WebsocketProvider): Y.Array<number> {
  return provider.doc.getArray<number>("list");
}

/** What was noticed since the last report. */
function report(): void {
  const sorted = latenciesMs.splice(0).toSorted((a, b) => a - b);
  const percentile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const noticed = {
    letters: sorted.length,
    disconnects,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    maxMs: sorted.at(-1) ?? 0,
  };
  process.stdout.write(`${JSON.stringify(noticed)}\n`);
}

const pairs = Array.from({ length: Number(documents) }, (_, index) => openPair(index));

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await until(() => pairs.every(({ writer, reader }) => writer.synced && reader.synced));
process.stdout.write("ready\n");
const timers = pairs.map(({ writer }, index) => {
  return setInterval(() => listOf(writer).push([performance.now()]), 100 + (index % 7));
});

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "stop") break;
  report();
}
for (const timer of timers) clearInterval(timer);
const isEqual = ({ writer, reader }: Pair): boolean =>
  listOf(writer).length === listOf(reader).length;
await until(() => pairs.every(isEqual));
report();
process.exit(0);
