import { fileURLToPath } from "node:url";
import { BenchChild } from "./child-process.ts";
import type { Job, LoadEvent, Sample } from "./load/jobs.ts";

const entry = fileURLToPath(new URL("./load/main.js", import.meta.url));

interface LoadOptions {
  readonly core: number | undefined;
  readonly limitMs: number;
  /** The load is up to speed: called at most once, and only by jobs that say so. */
  readonly onFlowing?: () => void;
}

/** Runs one job in a load process of its own, so that no run inherits another one's heap. */
export async function runLoad(job: Job, options: LoadOptions): Promise<Sample> {
  const args = [entry, JSON.stringify(job)];
  const child = new BenchChild({ name: `load ${job.kind}`, core: options.core, args });
  try {
    return await child.firstLine(options.limitMs, (line) => {
      const event = JSON.parse(line) as LoadEvent;
      if (event.event === "load.flowing") options.onFlowing?.();
      return event.event === "load.result" ? event.sample : undefined;
    });
  } finally {
    await child.kill();
  }
}
