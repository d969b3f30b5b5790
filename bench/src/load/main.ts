import { runCrash, runRecover } from "./crash.ts";
import { runDocuments } from "./documents.ts";
import { runFanOut } from "./fan-out.ts";
import { runIdle } from "./idle.ts";
import type { Job, LoadEvent, Sample } from "./jobs.ts";
import { runLibrary } from "./library.ts";
import { runOpen } from "./open.ts";
import { runReturning } from "./returning.ts";
import { runSeedStore } from "./seed-store.ts";
import { runSendTrace } from "./send-trace.ts";
import { runSyncCost } from "./sync-cost.ts";
import { runTypedBytes } from "./typed-bytes.ts";

/** Entry of the load process: one job in as argument, events out as JSON lines. */
const job = JSON.parse(process.argv[2] ?? "null") as Job;
const sample = await run(job);
emit({ event: "load.result", sample }, () => process.exit(0));

async function run(job: Job): Promise<Sample> {
  switch (job.kind) {
    case "fan-out":
      return await runFanOut(job);
    case "documents":
      return await runDocuments(job);
    case "crash":
      return await runCrash(job, () => emit({ event: "load.flowing" }));
    case "recover":
      return await runRecover(job);
    case "library":
      return await runLibrary(job);
    case "send-trace":
      return await runSendTrace(job);
    case "open":
      return await runOpen(job);
    case "returning":
      return await runReturning(job);
    case "idle":
      return await runIdle(job);
    case "seed-store":
      return await runSeedStore(job);
    case "sync-cost":
      return runSyncCost(job);
    case "typed-bytes":
      return await runTypedBytes(job);
  }
}

function emit(event: LoadEvent, onWritten?: () => void): void {
  process.stdout.write(`${JSON.stringify(event)}\n`, onWritten);
}
