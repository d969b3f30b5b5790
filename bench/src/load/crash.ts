import { setTimeout as delay } from "node:timers/promises";
import { connectAll } from "./connect-all.ts";
import type { CrashJob, RecoverJob, Sample } from "./jobs.ts";
import { Signal } from "./signal.ts";
import { typeRun } from "./typing.ts";
import { WireClient } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

const documentName = "bench-crash";

/**
 * Writes with a full window until the server is gone, and says how much a second client had seen by then. Whoever
 * started this process kills the server, some time after `onFlowing`.
 */
export async function runCrash(job: CrashJob, onFlowing: () => void): Promise<Sample> {
  const { url, wire } = job;
  const target = { url, wire, document: documentName };
  const run = typeRun(0, job.updates, prefixOf(wire, documentName));
  const gone = [new Signal<void>(), new Signal<void>()];
  let clients: readonly WireClient[] = [];
  let seen = 0;
  let sent = 0;
  const refill = (): void => {
    const until = Math.min(seen + job.window, run.length);
    for (; sent < until; sent += 1) clients[0]?.send(run.frame(sent));
  };
  const onSeen = (from: number, to: number): void => {
    if (from > seen || to <= seen) return;
    if (seen < job.window && to >= job.window) onFlowing();
    seen = to;
    refill();
  };
  clients = await connectAll(2, (index) => {
    return new WireClient(target, {
      onContent: (_client, from, to) => index === 1 && onSeen(from, to),
      onClosed: () => gone[index]?.resolve(),
    });
  });
  refill();
  await Promise.all(gone.map((signal) => signal.promise));
  return { seen, sent };
}

/** Reads the document with a fresh client after the restart: how much of it is there? */
export async function runRecover(job: RecoverJob): Promise<Sample> {
  let recovered = 0;
  const lost = new Signal<never>();
  const { url, wire } = job;
  const client = new WireClient(
    { url, wire, document: documentName },
    {
      onContent: (_client, from, to) => {
        if (from <= recovered) recovered = Math.max(recovered, to);
      },
      onClosed: (reason) => lost.reject(new Error(reason)),
    },
  );
  await client.whenSynced();
  // Some servers answer first and load their store afterwards, so the first answer is not the last word.
  let last = -1;
  while (recovered < job.seen && recovered > last) {
    last = recovered;
    await Promise.race([delay(job.quietMs), lost.promise]);
  }
  client.close();
  return { recovered };
}
