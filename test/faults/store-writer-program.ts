import { openLevelStore } from "@heddle/storage-level";
import { testDocument, testEnvironment, TestWriter } from "@heddle/testkit";

import { documentNames, envelopesPerBatch, payloadOf } from "./store-writer-batches.ts";

// Appends until it is killed: 16 writers at once, each batch with envelopes of two documents. After
// each acknowledgement it prints the batch. Arguments: folder, round.
const [folder, round] = process.argv.slice(2);
const environment = testEnvironment(`writer ${round}`, { timers: "real" });
const store = await openLevelStore(folder!, { environment });
const documents = documentNames.map((name) => testDocument(environment, name));
await store.append({ documents });
console.log("open");

await Promise.all(
  Array.from({ length: 16 }, async () => {
    const writer = await TestWriter.open(environment);
    await store.append({ lanes: [writer.lane] });
    for (let number = 1; ; number++) {
      const batch = `${writer.lane.id} ${number}`;
      const envelopes = Array.from({ length: envelopesPerBatch }, (_, index) => {
        return writer.seal(documents[index % documents.length]!.id, payloadOf(batch, index));
      });
      await store.append({ envelopes });
      console.log(`acknowledged ${batch}`);
    }
  }),
);
