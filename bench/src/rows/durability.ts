import { setTimeout as delay } from "node:timers/promises";
import type { Sample } from "../load/jobs.ts";
import { runLoad } from "../run-load.ts";
import { startServer, type ServerKind } from "../servers/server.ts";
import { loadOverheadMs, type Row, type RowContext } from "./row.ts";

const window = 64;
const updates = 40_000;
const quietMs = 1_000;
const killDelayMs = { min: 100, max: 600 } as const;

/** kill -9 under load: is what a second client saw still there after a restart on the same folder? */
export const durability: Row = {
  id: "durability",
  tables: [
    {
      title: `kill -9 with ${window} updates in flight`,
      explanation:
        "Updates that a second client had seen and that a fresh client does not get after the restart. A process is killed, not a machine: what the kernel holds survives, synced or not.",
      columns: [
        { key: "lostPercent", title: `% of the last ${window} seen, then gone`, digits: 0 },
        { key: "lost", title: "updates seen, then gone", digits: 0 },
        { key: "seen", title: "updates seen", digits: 0 },
      ],
    },
  ],
  appliesTo: (server) => server.durable,
  measure: async (kind, context) => {
    const samples: Sample[] = [];
    for (let kill = 0; kill < context.plan.killsPerRound; kill += 1) {
      samples.push(await crashAndRecover(kind, context));
    }
    return samples;
  },
};

async function crashAndRecover(kind: ServerKind, context: RowContext): Promise<Sample> {
  const folder = context.makeFolder();
  const seen = await writeUntilKilled(kind, folder, context);
  const recovered = await countRecovered(kind, folder, seen, context);
  const lost = Math.max(0, seen - recovered);
  const lostPercent = (Math.min(lost, window) / Math.min(seen, window)) * 100;
  return { seen, recovered, lost, lostPercent };
}

async function writeUntilKilled(
  kind: ServerKind,
  folder: string,
  { pinning }: RowContext,
): Promise<number> {
  const server = await startServer(kind, folder, pinning?.serverCore);
  const spread = killDelayMs.max - killDelayMs.min;
  const killSoon = async (): Promise<void> => {
    await delay(killDelayMs.min + Math.random() * spread);
    await server.kill();
  };
  try {
    const sample = await runLoad(
      { kind: "crash", url: server.url, wire: server.wire, serverPid: server.pid, window, updates },
      { core: pinning?.loadCore, limitMs: loadOverheadMs, onFlowing: () => void killSoon() },
    );
    return sample["seen"] ?? 0;
  } finally {
    await server.kill();
  }
}

async function countRecovered(
  kind: ServerKind,
  folder: string,
  seen: number,
  { pinning }: RowContext,
): Promise<number> {
  const server = await startServer(kind, folder, pinning?.serverCore);
  try {
    const sample = await runLoad(
      { kind: "recover", url: server.url, wire: server.wire, serverPid: server.pid, seen, quietMs },
      { core: pinning?.loadCore, limitMs: loadOverheadMs },
    );
    return sample["recovered"] ?? 0;
  } finally {
    await server.stop();
  }
}
