import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";

// Types a recorded session into a live document until it is killed, and goes on where the folder says
// that it was. Prints "typed <transactions> <ms>" now and then, and "saved <transactions>" when it is told so.
// Arguments: folder, trace.
const [folder, file] = process.argv.slice(2);
type Patch = readonly [position: number, deleted: number, inserted: string];
const { txns } = JSON.parse(gunzipSync(readFileSync(file!)).toString("utf8")) as {
  readonly txns: readonly { readonly patches: readonly Patch[] }[];
};
const replica = await openReplica({ store: levelStore(folder!) });
const document = replica.document("trace");
await document.whenLoaded();
const { ydoc } = document;
const [text, progress] = [ydoc.getText("text"), ydoc.getMap<number>("progress")];
const start = progress.get("typed") ?? 0;
console.log(`open ${start}`);

for (let index = start; index < txns.length; index++) {
  document.transact(() => {
    for (const [position, deleted, inserted] of txns[index]!.patches) {
      if (deleted > 0) text.delete(position, deleted);
      if (inserted !== "") text.insert(position, inserted);
    }
    progress.set("typed", index + 1);
  });
  const typed = index + 1;
  if (typed % 7 === 0) console.log(`typed ${typed} ${Date.now()}`);
  // Most of the time nobody waits, and windows end by themselves.
  if (typed % 50 === 0) void document.whenSaved().then(() => console.log(`saved ${typed}`));
  if (typed % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
await replica.close();
console.log("end");
