// What docs/projections.md shows, for the compiler. `documented-projections.test.ts` compares it with the page and runs it.
// As it is printed:
import { defineProjection } from "@heddle/reconcile";
import type { Doc } from "yjs";

// Numbers that are made from Yjs documents; without the two types values are any JSON.
const words = defineProjection<Doc, number>({
  name: "words",
  version: 1, // count it up when the functions below would give other rows
  owner: "search team", // who is asked when it drifts
  partition: (name) => name.split("/")[0], // by the name of a document alone; undefined: not looked at
  derive: (ydoc) => [
    ["words", ydoc.getText("text").toString().split(/\s+/).filter(Boolean).length],
  ],
  combine: (a, b) => a + b, // two documents that give to the same key
  subtract: (total, part) => total - part, // if it can be undone
  repair: "overwrite",
});

const edits = defineProjection<Doc, number>({
  name: "edits",
  version: 1,
  owner: "operations",
  partition: (name) => name.split("/")[0],
  fold: ({ hlc, update }) => {
    const day = new Date(hlc.wallMs).toISOString().slice(0, 10);
    return [
      [`${day} changes`, 1],
      [`${day} bytes`, update.length],
    ];
  },
  combine: (a, b) => a + b,
  subtract: (total, part) => total - part,
  repair: "never", // a job reports what differs, and writes nothing
});

import { LogSource, ProjectionHost } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import { levelStore, openLevelProjectionStore } from "@heddle/storage-level";

const quiet = () => undefined;
const environment = nodeEnvironment({
  debug: quiet,
  info: quiet,
  warn: console.warn,
  error: console.error,
});
const live = await openReplica({ store: levelStore("data") });
const notes = await live.open("notes/monday");
notes.ydoc.getText("text").insert(0, "two words ");
await notes.whenSaved();

const { replica } = live;
const { store } = await openLevelProjectionStore("data/projections", { environment });
// The store as documents are read from it: in a space without what does not count there.
const source = new LogSource({ store: replica.store, environment, access: replica.access });
const host = new ProjectionHost({ store, source, environment, projections: [words, edits] });
host.start();
await host.whenCaughtUp();
console.log(await host.reader("words").get("notes", "words")); // of one key
console.log(await host.reader("edits").partitions(undefined, 100)); // the first hundred
console.log(await host.reader("edits").list("notes", undefined, 100)); // keys with values, in their order

await host.close();
await store.close();
await live.close();
