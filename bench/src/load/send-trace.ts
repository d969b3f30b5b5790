import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readCpuSeconds } from "../process-usage.ts";
import { updateFrame } from "./client-frames.ts";
import type { Sample, SendTraceJob } from "./jobs.ts";
import { Signal } from "./signal.ts";
import { typeTrace } from "./trace.ts";
import { WireClient } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

/** Edits under way at most; what deletes only is not seen to arrive, so this is not exact. */
const window = 2_000;

/** Sends the trace edit by edit and waits until a second client has all that was typed. */
export async function runSendTrace(job: SendTraceJob): Promise<Sample> {
  const { url, wire, document } = job;
  const { updates, clocks } = typeTrace(job.edits);
  const frames = updates.map((update) => updateFrame(prefixOf(wire, document), update));
  const complete = new Signal<void>();
  const progress = { seen: 0 };
  const target = { url, wire, document };
  const onClosed = (reason: string): void => complete.reject(new Error(reason));
  const reader = new WireClient(target, {
    onContent: (_client, _from, to) => {
      progress.seen = Math.max(progress.seen, to);
      if (progress.seen >= clocks) complete.resolve();
    },
    onClosed,
  });
  const reached = async (least: number): Promise<void> => {
    do await nextTurn();
    while (progress.seen < least);
  };
  const writer = new WireClient(target, { onContent: () => {}, onClosed });
  await Promise.all([reader.whenSynced(), writer.whenSynced()]);
  const cpuBefore = readCpuSeconds(job.serverPid);
  const startedAt = performance.now();
  const share = clocks / frames.length;
  for (const [index, frame] of frames.entries()) {
    writer.send(frame);
    if (index % 200 !== 199) continue;
    const least = Math.min(clocks, (index - window) * share);
    await Promise.race([reached(least), complete.promise]);
  }
  await complete.promise;
  reader.close();
  writer.close();
  return {
    clocks,
    writeSeconds: (performance.now() - startedAt) / 1_000,
    writeCpuSeconds: readCpuSeconds(job.serverPid) - cpuBefore,
  };
}
