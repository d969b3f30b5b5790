// node apps/examples/projections/unread.js
//
// Unread counts from messages and read cursors. Each document is one conversation.
import { unreadCounts } from "@heddle/reconcile";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(unreadCounts({ name: "unread", owner: "chat team" }));

for (const room of ["rooms/lunch", "rooms/work"]) {
  await workspace.edit(room, (ydoc) => {
    for (const person of ["ada", "bo"]) ydoc.getMap("members").set(person, true);
    ydoc.getArray("messages").push([
      { id: "1", from: "ada", atMs: 1, text: "hello" },
      { id: "2", from: "ada", atMs: 2, text: "anybody?" },
    ]);
  });
}
console.log("bo has not read:", await workspace.read("unread", "bo"));

await workspace.edit("rooms/lunch", (ydoc) => ydoc.getMap("read").set("bo", "2"));
console.log("bo has read lunch:", await workspace.read("unread", "bo"));

await workspace.close();
