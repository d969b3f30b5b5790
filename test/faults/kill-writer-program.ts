import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  type LanePosition,
} from "@heddle/core";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";

import { documentNames, envelopesPerBatch, payloadOf } from "./store-writer-batches.ts";

// As store-writer-program.ts, with four writers and little to load: it is started hundreds of times.
const ignore = (): void => undefined;
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const environment = nodeEnvironment(logger);
const { hash, random, clock } = environment;
const hybrid = new HybridClock(clock);
const space = openSpaceId(hash);
const documents = documentNames.map((text) => {
  const name = parseDocumentName(text);
  return { id: documentIdOf(hash, space, name), name, createdAt: hybrid.tick() };
});
const store = await openLevelStore(process.argv[2]!, { environment });
await store.append({ documents });
console.log("open");

await Promise.all(
  Array.from({ length: 4 }, async () => {
    const signer = ephemeralDeviceKey();
    const lane = await openLane({ space, signer, hash, random, clock: hybrid, engine: "kill" });
    await store.append({ lanes: [lane] });
    const writer = new LaneWriter(lane, hash, hybrid);
    const positions = new Map<string, LanePosition>();
    for (let number = 1; ; number++) {
      const batch = `${lane.id} ${number}`;
      const envelopes = Array.from({ length: envelopesPerBatch }, (_, index) => {
        const { id: document } = documents[index % documents.length]!;
        const payload = payloadOf(batch, index);
        const about = { kind: EnvelopeKind.update, flags: 0, document, epoch: 0, schema: 0 };
        const envelope = writer.seal(positions.get(document), {
          ...about,
          codec: PayloadCodec.yjsV1,
          payload,
        });
        positions.set(document, { seq: envelope.seq, head: envelope.id });
        return envelope;
      });
      await store.append({ envelopes });
      console.log(`acknowledged ${batch}`);
    }
  }),
);
