// node apps/examples/projections/likes.js
//
// Like counts from like edges: a map with one entry for each person and post. The same like twice is one like.
import { setCounters } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(setCounters({ name: "likes", owner: "feed team" }));

await workspace.edit("feed/monday", (ydoc) => {
  for (const person of ["ada", "bo", "cy"]) ydoc.getMap("edges").set(`post 1/${person}`, true);
});
await workspace.edit("feed/tuesday", (ydoc) => {
  ydoc.getMap("edges").set("post 1/dora", true);
  ydoc.getMap("edges").set("post 1/dora", true); // twice
});
console.log("likes of post 1:", await workspace.read("likes", "post 1"));

await workspace.edit("feed/monday", (ydoc) => ydoc.getMap("edges").delete("post 1/bo"));
console.log("bo takes theirs back:", await workspace.read("likes", "post 1"));

await workspace.close();
