import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { BenchChild } from "../child-process.ts";
import { runLoad } from "../run-load.ts";
import { readCpuSeconds, readPeakMegabytes, readRssMegabytes } from "../process-usage.ts";
import { seededName } from "../load/seeded-name.ts";
import { heddleRelay } from "../servers/heddle-relay.ts";
import { compareStores } from "./compare-stores.ts";

/**
 * A first sync of a large library: two relays, each a process with a store of its own, of which the second
 * begins empty and dials the first. Halfway the second one is killed (-9) and started again. Then what it
 * takes the two to find out what differs, when nobody knows any more that they met: 10 documents, and none.
 *
 *   node bench/dist/library-sync/library-sync.js [documents] [bytes of each] [folder]
 *
 * A folder that holds such a library already is copied, and not changed.
 */
const [documents = 100_000, updateBytes = 100] = process.argv.slice(2, 4).map(Number);
const seeded = process.argv[4];
const pollMs = 500;
const stuckMs = 120_000;
const oneWayMs = 50;

interface Site {
  readonly child: BenchChild;
  readonly url: string;
  readonly adminUrl: string;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function start(folder: string, more: readonly string[] = []): Promise<Site> {
  const launch = await heddleRelay.launch(folder);
  const port = await freePort();
  const args = [...launch.args, "--admin-port", String(port), ...more];
  const child = new BenchChild({ name: folder, core: undefined, args });
  const url = await child.firstLine(120_000, (line) => launch.readUrl(line));
  return { child, url, adminUrl: `http://127.0.0.1:${port}` };
}

/** Counters of the wire by name, from the page that operators read. */
async function countersOf({ adminUrl }: Site): Promise<ReadonlyMap<string, number>> {
  const page = await (await fetch(`${adminUrl}/metrics`)).text();
  const counters = new Map<string, number>();
  for (const [, name, label, value] of page.matchAll(
    /^(heddle_sync_\w+)\{\w+="(\w+)"\} (\S+)$/gm,
  )) {
    counters.set(name === "heddle_sync_events_total" ? label! : `${name} ${label}`, Number(value));
  }
  return counters;
}

interface Reached {
  readonly seconds: number;
  readonly stored: number;
  readonly peakMb: number;
}

/** Waits until `site` has stored so many envelopes, or gets no further. */
async function untilStored(site: Site, wanted: number, watched: readonly Site[]): Promise<Reached> {
  const startedMs = performance.now();
  let progressMs = startedMs;
  let stored = 0;
  while (stored < wanted && performance.now() - progressMs < stuckMs) {
    await delay(pollMs);
    const now = (await countersOf(site)).get("envelopesStored") ?? 0;
    if (now > stored) progressMs = performance.now();
    stored = now;
    if (process.env["VERBOSE"]) {
      const memory = watched.map(({ child }) => readRssMegabytes(child.pid).toFixed(0)).join(" ");
      console.error(`${((progressMs - startedMs) / 1_000).toFixed(0)} s: ${stored}, RSS ${memory}`);
    }
  }
  const seconds = (progressMs - startedMs) / 1_000;
  return { seconds, stored, peakMb: readPeakMegabytes(site.child.pid) };
}

const root = await mkdtemp(path.join(tmpdir(), "heddle-library-sync-"));
const [full, empty] = ["full", "empty"].map((name) => path.join(root, name)) as [string, string];
try {
  const seed = { folder: full, documents, updates: 1, updateBytes, lanes: 1 };
  if (seeded) await cp(seeded, full, { recursive: true });
  else await runLoad({ kind: "seed-store", ...seed }, { core: undefined, limitMs: 30 * 60_000 });
  const openedMs = performance.now();
  const source = await start(full);
  console.log(`open of ${documents} documents: ${Math.round(performance.now() - openedMs)} ms`);
  console.log(`  RSS at rest: ${readRssMegabytes(source.child.pid).toFixed(0)} MB`);
  const peer = ["--peer", source.url.replace("http", "ws")];
  let target = await start(empty, peer);
  const sites = () => [source, target];
  const half = await untilStored(target, documents / 2, sites());
  console.log(`${half.stored} documents stored after ${half.seconds.toFixed(1)} s`);
  console.log(`  peak RSS: ${half.peakMb.toFixed(0)} MB at the new one`);
  await target.child.kill();
  const before = await countersOf(source);
  target = await start(empty, peer);
  // What was stored and not yet counted when it was killed is not sent again.
  const rest = await untilStored(target, documents - half.stored - 2_000, sites());
  await delay(20_000);
  const stored = (await countersOf(target)).get("envelopesStored") ?? 0;
  const after = await countersOf(source);
  const sent = "heddle_sync_bytes_total sent";
  const received = "heddle_sync_bytes_total received";
  const bytes = (name: string) => ((after.get(name) ?? 0) - (before.get(name) ?? 0)) / 1e6;
  console.log(`after kill -9: ${stored} more after ${rest.seconds.toFixed(1)} s`);
  console.log(`  ${bytes(sent).toFixed(1)} MB sent and ${bytes(received).toFixed(1)} MB received`);
  for (const [name, { child }] of [["full", source] as const, ["new", target] as const]) {
    const cpu = readCpuSeconds(child.pid).toFixed(1);
    const [peak, now] = [readPeakMegabytes(child.pid), readRssMegabytes(child.pid)];
    console.log(
      `  ${name}: peak RSS ${peak.toFixed(0)} MB, now ${now.toFixed(0)} MB, CPU ${cpu} s`,
    );
  }
  const events = ["librariesAgreed", "librariesDiffered", "documentsRested", "duplicates"];
  console.log(`  ${events.map((name) => `${name} ${after.get(name) ?? "-"}`).join(", ")}`);
  for (const { child } of sites()) await child.stop();
  for (const differing of [10, 0]) {
    const step = Math.floor(documents / 11);
    const names = Array.from({ length: differing }, (_, index) => seededName(index * step));
    const found = await compareStores([full, empty], names, oneWayMs);
    console.log(`${differing} of ${documents} documents differ, ${oneWayMs} ms one way:`);
    console.log(`  ${found.frames} frames, ${found.roundTrips} round trips, ${found.bytes} bytes`);
    const cpu = found.cpuSeconds.toFixed(2);
    console.log(`  found after ${found.seconds.toFixed(2)} s, CPU ${cpu} s of both sides`);
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
