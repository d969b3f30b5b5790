import { decodeUtf8 } from "lib0/string";
import { expect, test } from "vitest";

import { cutUtf8 } from "./field-sets.ts";

test("[STO-8] a long reason is cut between characters, so that it can be read again", () => {
  const reason = `x${"ü".repeat(160)}🧵`;
  for (let bytesMax = 0; bytesMax <= 330; bytesMax++) {
    const cut = cutUtf8(reason, bytesMax);
    expect(cut.length).toBeLessThanOrEqual(bytesMax);
    expect(reason.startsWith(decodeUtf8(cut))).toBe(true);
  }
});
