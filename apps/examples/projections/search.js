// node apps/examples/projections/search.js
//
// Full-text search: the projection keeps what an index is fed with, minisearch makes the index of it in memory.
import { searchDocuments } from "@heddle/reconcile";
import MiniSearch from "minisearch";

import { openWorkspace } from "./workspace.js";

const workspace = await openWorkspace(searchDocuments({ name: "search", owner: "notes team" }));

const write = (name, title, text) => {
  return workspace.edit(name, (ydoc) => {
    ydoc.getMap("meta").set("title", title);
    ydoc.getText("text").insert(0, text);
  });
};
await write("notes/soup", "Soup", "carrots, onions and a long time");
await write("notes/bread", "Bread", "flour, water, salt and a longer time");

const index = new MiniSearch({ fields: ["title", "text"], storeFields: ["title"] });
for (const { key, value } of await workspace.list("search")) {
  index.add({ id: key, title: value.title, text: value.text });
}
for (const word of ["onion", "time"]) {
  const found = index.search(word, { prefix: true }).map(({ title }) => title);
  console.log(`${word}:`, found.toSorted().join(", "));
}

await workspace.close();
