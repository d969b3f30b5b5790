import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { meet, Site, until } from "./site.ts";

/**
 * What two replicas that know each other say when they meet again: many documents, a few changed while
 * they were apart, both started anew. On LevelDB, in one process, over a connection that takes a while
 * each way, so that round trips can be counted with a clock.
 *
 *   node bench/dist/known-peer/known-peer.js [documents] [changed] [milliseconds one way]
 */

const [documents = 10_000, changed = 5, oneWayMs = 250] = process.argv.slice(2).map(Number);
const nameOf = (index: number): string => `document ${index}`;
/** Documents that are written at a time: they share syncs. */
const together = 256;

const root = await mkdtemp(path.join(tmpdir(), "heddle-known-peer-"));
const folders = ["a", "b"].map((name) => path.join(root, name)) as [string, string];
try {
  {
    await using a = await Site.open(folders[0]);
    await using b = await Site.open(folders[1]);
    for (let first = 0; first < documents; first += together) {
      const last = Math.min(first + together, documents);
      await Promise.all(
        Array.from({ length: last - first }, (_, index) => a.write(nameOf(first + index))),
      );
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
  for (let index = 0; index < changed; index++) await a.write(nameOf(index * step));
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
