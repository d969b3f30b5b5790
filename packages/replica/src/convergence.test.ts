import { MemoryDisk, toHex } from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { environment, notes, openReplica, settled, type OpenReplica } from "./replica.fixture.ts";

/** One person's step: type, delete or hear from the other two. */
const step = fc.record({
  author: fc.nat(2),
  kind: fc.constantFrom("insert", "insert", "delete", "hear"),
  at: fc.nat(1_000),
  text: fc.constantFrom("a", "bc", "🧵", "\n"),
});

/** What happens to an update on its way: when it comes, how often, and what the relay does then. */
const delivery = fc.record({
  priority: fc.nat(1_000),
  repeats: fc.integer({ min: 1, max: 2 }),
  afterwards: fc.constantFrom("go-on", "go-on", "go-on", "settle", "restart", "crash"),
});

function writeTogether(
  steps: readonly { author: number; kind: string; at: number; text: string }[],
) {
  const authors = [1, 2, 3].map((clientID) => Object.assign(new Y.Doc(), { clientID }));
  const updates: Uint8Array[] = [];
  for (const author of authors) {
    author.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "heard") updates.push(update);
    });
  }
  for (const { author, kind, at, text } of steps) {
    const ydoc = authors[author]!;
    const shared = ydoc.getText("text");
    if (kind === "insert") shared.insert(at % (shared.length + 1), text);
    if (kind === "delete" && shared.length > 0) shared.delete(at % shared.length, 1);
    if (kind === "hear") {
      for (const other of authors) Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(other), "heard");
    }
  }
  return updates;
}

async function goOn(open: OpenReplica, disk: MemoryDisk, afterwards: string): Promise<OpenReplica> {
  if (afterwards === "go-on") return open;
  await settled();
  if (afterwards === "settle") return open;
  if (afterwards === "restart") {
    await open.replica.close();
    await open.store.close();
  }
  disk.isLocked = false;
  return openReplica(disk);
}

test("[DOC-3] any order, repeats, batches, restarts and crashes end in the same state", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.array(delivery, { minLength: 60, maxLength: 60 }),
      async (steps, deliveries) => {
        const updates = writeTogether(steps);
        const direct = yjsEngine.fold(updates);
        const disk = new MemoryDisk();
        let open = await openReplica(disk);
        const order = updates.flatMap((update, index) => {
          const { priority, repeats, afterwards } = deliveries[index % deliveries.length]!;
          return Array.from({ length: repeats }, (_, n) => ({
            update,
            afterwards,
            at: priority * (n + 1),
          }));
        });
        for (const { update, afterwards } of order.toSorted((a, b) => a.at - b.at)) {
          const document = await open.replica.acquire(notes);
          document.submit(update, {});
          open.replica.release(document);
          open = await goOn(open, disk, afterwards);
        }
        await settled();
        const document = await open.replica.acquire(notes);
        const served = yjsEngine.fold([document.encodeSince(Uint8Array.of(0))]);
        expect(toHex(served.digestS(environment.hash))).toBe(
          toHex(direct.digestS(environment.hash)),
        );
        direct.destroy();
        served.destroy();
        await open.replica.close();
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
