import { openLevelStore } from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";

import { surveyStore } from "./store-survey.ts";

// What a relay does to a store, in a process that damage may end: opens one folder after the other, reads
// everything in every way, writes on until LevelDB has rewritten tables, and prints a line for each step.
// Arguments: document names, a dash, folders.
const separator = process.argv.indexOf("-");
const names = process.argv.slice(2, separator);
for (const folder of process.argv.slice(separator + 1)) {
  const environment = testEnvironment(folder);
  console.log(JSON.stringify({ survey: await surveyStore(folder, environment, names) }));
  console.log(JSON.stringify({ rewritten: await rewrite(folder) }));
}

/** Each opening leaves a table of the log, and four of them make LevelDB merge. */
async function rewrite(folder: string): Promise<string> {
  try {
    for (let opening = 0; opening < 6; opening++) {
      const environment = testEnvironment(`${folder} ${opening}`, { timers: "real" });
      const store = await openLevelStore(folder, { environment });
      await store.note({ event: "damage-gone", atMs: opening, detail: "x".repeat(500) });
      await store.close();
    }
    return "done";
  } catch (error) {
    return String(error).slice(0, 200);
  }
}
