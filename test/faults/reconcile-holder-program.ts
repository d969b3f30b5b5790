import type { DocumentId, DocumentName, StoreId } from "@heddle/core";
import { defineProjection, ReconcileJob, type ProjectionSource } from "@heddle/reconcile";
import { nodeEnvironment, ServedProjectionStore, type StoreChannel } from "@heddle/replica/node";

// A job in a process of its own, on a store that its parent serves. Arguments: its name, "wait" to say
// "writing" and wait for a message while it holds the lease of the partition and has made a correction, the ids.
const [, , holder = "", mode = "", document = "", storeId = "", incarnation = ""] = process.argv;

const listeners = new Set<(message: unknown) => void>();
let goOn: (() => void) | undefined;
process.on("message", (message) => {
  if (message === "go on") goOn?.();
  else for (const listener of listeners) listener(message);
});
const channel: StoreChannel = {
  post: (message) => process.send!(message),
  onMessage(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

const id = document as DocumentId;
const described = { id, name: "post/1" as DocumentName };
const source: ProjectionSource<number> = {
  storeId: storeId as StoreId,
  describeFeed: async () => ({ incarnations: [incarnation], lastArrival: 1 }),
  readFeed: async () => ({ groups: [] }),
  readDocuments: async (after) => (after === undefined ? [described] : []),
  describe: async () => described,
  look: async () => ({ outcome: "whole", log: "log of now" }),
  read: async () => ({ outcome: "whole", log: "log of now", content: 7 }),
  readChanges: async () => ({ outcome: "absent" }),
};
const projection = defineProjection<number>({
  name: "likes",
  version: 1,
  owner: "tests",
  partition: () => "post",
  derive: (content): [string, number][] => [["likes", content]],
  combine: (a, b) => Number(a) + Number(b),
  repair: "overwrite",
});
const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const store = new ServedProjectionStore(channel);
const apply = store.apply.bind(store);
store.apply = async (batch, conditions) => {
  if (mode === "wait" && batch.audit?.length) {
    process.send!("writing");
    await new Promise<void>((resolve) => (goOn = resolve));
  }
  return await apply(batch, conditions);
};
const job = ReconcileJob.of(
  { projection, source, store, environment },
  // Names differ: only the lease of the partition is between them.
  { name: `job-${holder}`, holder, leaseMs: mode === "wait" ? 400 : 60_000, feedWaitMs: 0 },
);
const { outcome, counts } = await job.run();
process.send!({ outcome, corrections: counts.corrections, drifts: counts.drifts });
process.disconnect();
