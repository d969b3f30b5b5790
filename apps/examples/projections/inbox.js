// node apps/examples/projections/inbox.js
//
// An inbox: the conversations of each person, those with the newest message first.
import { inbox } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(inbox({ name: "inbox", owner: "chat team" }));

const say = (room, atMs, from, text) => {
  return workspace.edit(room, (ydoc) => {
    for (const person of ["ada", "bo"]) ydoc.getMap("members").set(person, true);
    ydoc.getArray("messages").push([{ id: String(atMs), from, atMs, text }]);
  });
};
await say("rooms/lunch", 10, "ada", "soup?");
await say("rooms/work", 20, "bo", "it is done");
await say("rooms/lunch", 30, "ada", "or noodles?");
for (const { conversation, preview, unread } of await workspace.read("inbox", "bo")) {
  console.log(`${conversation}: ${preview} (${unread} unread)`);
}

await workspace.close();
