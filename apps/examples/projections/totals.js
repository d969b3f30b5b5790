// node apps/examples/projections/totals.js
//
// A counter that many write at once: each device adds to a shard of its own, and the total is their sum.
import { shardedTotals } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(shardedTotals({ name: "totals", owner: "shop team" }));

const add = (device, by) => {
  return workspace.edit(`counters/${device}`, (ydoc) => {
    const counters = ydoc.getMap("counters");
    const shard = `visits/${device}`;
    counters.set(shard, (counters.get(shard) ?? 0) + by);
  });
};
await Promise.all([add("phone", 3), add("desk", 4), add("till", 5)]);
console.log("visits:", await workspace.read("totals", "visits"));
await add("phone", 10);
console.log("visits:", await workspace.read("totals", "visits"));

await workspace.close();
