import { ReconcileJob } from "@heddle/reconcile";
import { LogSource } from "@heddle/replica";
import { openLevelProjectionStore, openLevelStore } from "@heddle/storage-level";

import { environment, projectionsIn } from "./built-projection.ts";
import { likes } from "./likes-projection.ts";

// One run of a job on its own two databases. Arguments: the folder; "before" or "after", to stand still for good
// around the writing of a correction; of the how manieth. Prints "stands", or the report of a run that ended.
const [, , folder = "", where = "", which = ""] = process.argv;
const log = await openLevelStore(folder, { environment });
const { store, damages } = await openLevelProjectionStore(projectionsIn(folder), { environment });
const standStill = async (): Promise<void> => {
  console.log("stands");
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
};
const apply = store.apply.bind(store);
let corrections = 0;
store.apply = async (batch, conditions) => {
  const isHere = (batch.audit?.length ?? 0) > 0 && ++corrections === Number(which);
  if (isHere && where === "before") await standStill();
  const outcome = await apply(batch, conditions);
  if (isHere && where === "after") await standStill();
  return outcome;
};
const source = new LogSource({ store: log, environment });
const job = ReconcileJob.of(
  { projection: likes, source, store, environment },
  { name: "planned", holder: "killed", pace: { readsPerSecond: 1e9, loopShare: 1 } },
);
const keepAlive = setInterval(() => undefined, 60_000);
const { outcome, counts, found, isResumed } = await job.run();
clearInterval(keepAlive);
await store.close();
await log.close();
console.log(JSON.stringify({ outcome, counts, found, isResumed, damages: damages.length }));
