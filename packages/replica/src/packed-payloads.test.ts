import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PackedPayloads } from "./packed-payloads.ts";

// Long ones are held, not copied.
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.nat(255).map((byte) => new Uint8Array(5_000).fill(byte)),
);
const payloadLists = fc.array(payload, { maxLength: 20 });

const text = (payloads: readonly Uint8Array[]): string[] => {
  return payloads.map((bytes) => Buffer.from(bytes).toString("latin1"));
};

test("gives back what was added, in its order, whatever is added afterwards", () => {
  fc.assert(
    fc.property(payloadLists, payloadLists, (first, second) => {
      const packed = new PackedPayloads();
      const before = text(first);
      for (const added of first) packed.add(added);
      const listed = packed.list();
      for (const added of second) packed.add(added);
      expect(text(listed)).toEqual(before);
      expect(text(packed.list())).toEqual([...before, ...text(second)]);
      expect(text(first), "what is held is not written to").toEqual(before);
      packed.clear();
      expect(packed.list()).toEqual([]);
    }),
  );
});
