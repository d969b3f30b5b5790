// node apps/examples/projections/notifications.js
//
// What a bell shows: how much each person has not seen, and the newest of it.
import { notificationState } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(notificationState({ name: "bells", owner: "app team" }));

await workspace.edit("team", (ydoc) => {
  ydoc.getArray("notices").push([
    { to: "ada", atMs: 10, text: "bo has answered" },
    { to: "ada", atMs: 20, text: "cy has joined" },
  ]);
});
const { unseen, latest } = await workspace.read("bells", "ada");
console.log(`ada: ${unseen}, ${latest.text}`);

await workspace.edit("team", (ydoc) => ydoc.getMap("seen").set("ada", 20));
console.log("ada has looked:", (await workspace.read("bells", "ada")) ?? "nothing new");

await workspace.close();
