import { lightProjections, MemorySource, testEnvironment } from "@heddle/testkit";
import { ProjectionRunner } from "@heddle/reconcile";
import { openLevelProjectionStore } from "@heddle/storage-level";

// Follows a feed into LevelDB until it is killed, and begins with a rebuild. Prints the number of each edit that
// was taken in.

const [folder = ""] = process.argv.slice(2);
const environment = testEnvironment("killed", { timers: "real" });
const { hash, random, clock } = environment;
const { store } = await openLevelProjectionStore(folder, { environment });
const source = new MemorySource(hash, random);
const [projection] = lightProjections;
const runner = new ProjectionRunner({ store, source, projection: projection!, hash, clock });
runner.rebuild();
for (let edit = 1; ; edit++) {
  for (let document = 0; document < 5; document++) {
    source.edit(`a/${document}`, { likes: edit, [`views ${edit % 4}`]: document });
  }
  while ((await runner.turn()) !== "idle");
  console.log(edit);
}
