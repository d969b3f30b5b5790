import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PackedPayloads } from "./packed-payloads.ts";

const payloadLists = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 });

test("gives back what was added, in its order, whatever is added afterwards", () => {
  fc.assert(
    fc.property(payloadLists, payloadLists, (first, second) => {
      const packed = new PackedPayloads();
      for (const payload of first) packed.add(payload);
      const listed = packed.list();
      for (const payload of second) packed.add(payload);
      expect(listed).toEqual(first);
      expect(packed.list()).toEqual([...first, ...second]);
      packed.clear();
      expect(packed.list()).toEqual([]);
    }),
  );
});
