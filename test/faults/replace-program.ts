import { rename } from "node:fs/promises";

import { replaceStore } from "@heddle/storage-level";

// Replaces one store by another and kills itself before the n-th rename. Arguments: folder, new store, n.
const [folder, from, at] = process.argv.slice(2);
let renames = 0;
const renameFile: typeof rename = async (...names) => {
  if (++renames === Number(at)) process.kill(process.pid, "SIGKILL");
  await rename(...names);
};
await replaceStore(folder!, from!, { atMs: 1_000, ok: true }, { renameFile });
console.log(`renamed ${renames}`);
