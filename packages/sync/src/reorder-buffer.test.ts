import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { ReorderBuffer } from "./reorder-buffer.ts";

async function earlyRuns(count: number) {
  const lane = await FixtureLane.open(3);
  const runs = [];
  for (let index = 0; index < count; index++) runs.push(await lane.run(2));
  return runs.map((run) => {
    return { origin: "peer", document: lane.entry.id, lane: lane.descriptor, run };
  });
}

const bytesIn = (runs: readonly { readonly run: readonly { bytes: Uint8Array }[] }[]) => {
  return runs.flatMap(({ run }) => run).reduce((sum, { bytes }) => sum + bytes.length, 0);
};

test("[WIR-10] gives back in order what came in any order, once", async () => {
  const [a, b, c] = await earlyRuns(3);
  const buffer = new ReorderBuffer<string>({ reorderEnvelopesMax: 100, reorderBytesMax: 1e6 });
  for (const early of [c, b, b, a]) buffer.add(early!);
  expect(buffer.heldBytes).toBe(bytesIn([a!, b!, c!]));
  const { document, lane } = a!;
  expect([1, 3, 4, 5].map((seq) => buffer.take(document, lane.id, seq)?.run[0]!.seq)).toEqual([
    1,
    3,
    undefined,
    5,
  ]);
  expect(buffer.heldBytes).toBe(0);
});

test("[WIR-10] over its bound it lets go of what lies farthest ahead; of size 0 it holds nothing", async () => {
  const [a, b, c] = await earlyRuns(3);
  const { document, lane } = a!;
  const buffer = new ReorderBuffer<string>({ reorderEnvelopesMax: 4, reorderBytesMax: 1e6 });
  for (const early of [b, c, a]) buffer.add(early!);
  expect(buffer.dropped).toBe(1);
  expect(buffer.take(document, lane.id, 1)).toBeDefined();
  expect(buffer.take(document, lane.id, 3)).toBeDefined();
  expect(buffer.take(document, lane.id, 5)).toBeUndefined();
  const none = new ReorderBuffer<string>({ reorderEnvelopesMax: 0, reorderBytesMax: 1e6 });
  none.add(a!);
  expect([none.heldBytes, none.dropped]).toEqual([0, 1]);
});
