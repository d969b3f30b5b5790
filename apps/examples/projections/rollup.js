// node apps/examples/projections/rollup.js
//
// What happened in each hour, by the clock readings of changes. A change that comes late opens its hour again.
import { rollups } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const hourMs = 60 * 60 * 1000;
const measure = () => [["changes", 1]];
const workspace = await openWorkspace(
  rollups({ name: "activity", owner: "operations", bucketMs: hourMs, measure }),
);

for (const note of ["notes/a", "notes/b", "notes/a"]) {
  await workspace.edit(note, (ydoc) => ydoc.getText("text").insert(0, "more "));
}
let changes = 0;
for (const { key, value } of await workspace.list("activity")) {
  if (/^\d{4}-\d\d-\d\dT\d\d:00:00\.000Z changes$/.test(key)) changes += value;
}
console.log("changes in all hours:", changes);

await workspace.close();
