import { isHeddleError } from "@heddle/core";
import { openLevelStore } from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";

import { textIn, TypedText } from "./written-store.ts";

// Opens one folder after the other and prints what would be served of each: the texts of the documents
// that open. LevelDB may abort over a damage, and a test outlives that only from outside. Arguments: names, a
// dash, folders.
const separator = process.argv.indexOf("-");
const names = process.argv.slice(2, separator);
for (const folder of process.argv.slice(separator + 1)) {
  const texts: Record<string, string> = {};
  try {
    const store = await openLevelStore(folder, { environment: testEnvironment("serve") });
    try {
      for (const name of names) {
        try {
          texts[name] = await textIn(store, new TypedText("documents", name).document);
        } catch (error) {
          if (!isHeddleError(error)) throw error;
        }
      }
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!isHeddleError(error)) throw error;
  }
  console.log(JSON.stringify(texts));
}
