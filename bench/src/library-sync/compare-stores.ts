import { openLevelStore } from "@heddle/storage-level";
import { decodeFrame, type SyncEvent } from "@heddle/sync";

import { meet, Site, siteEnvironment, until } from "../known-peer/site.ts";

export interface Comparison {
  readonly frames: number;
  readonly bytes: number;
  readonly roundTrips: number;
  /** Until both sides have what differed, or know that nothing does. */
  readonly seconds: number;
  /** Of both sides. */
  readonly cpuSeconds: number;
}

/** Nobody knows any more where it stands with anybody. */
async function forgetCursors(folder: string): Promise<void> {
  const store = await openLevelStore(folder, { environment: siteEnvironment });
  const stores = (await store.readCursors()).map((cursor) => cursor.store);
  if (stores.length > 0) await store.append({ forgetPeers: stores });
  await store.close();
}

/**
 * Two replicas that hold the same library, but for `differing` documents that the first one changes, meet
 * without knowing it: both in this process, each frame `oneWayMs` on its way.
 */
export async function compareStores(
  folders: readonly [string, string],
  differing: readonly string[],
  oneWayMs: number,
): Promise<Comparison> {
  for (const folder of folders) await forgetCursors(folder);
  const ends: SyncEvent[] = [];
  await using a = await Site.open(folders[0]);
  await using b = await Site.open(folders[1], (event) => {
    if (event.name === "library.compared") ends.push(event);
  });
  for (const name of differing) await a.write(name);
  const counts = { frames: 0, bytes: 0 };
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  meet(a, b, oneWayMs, (bytes) => {
    if (decodeFrame(bytes)?.name !== "library" || ends.length > 0) return;
    counts.frames++;
    counts.bytes += bytes.length;
  });
  await until(() => ends.length > 0);
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  await until(() => b.stored === differing.length);
  const cpuSeconds = (user + system) / 1e6;
  return { ...counts, roundTrips: counts.frames / 2, seconds, cpuSeconds };
}
