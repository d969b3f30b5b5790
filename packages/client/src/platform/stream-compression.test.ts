import { deflateRawSync, inflateRawSync } from "node:zlib";

import { HeddleErrorCode } from "@heddle/core";
import { seededRandom } from "@heddle/testkit";
import { expect, test } from "vitest";

import { streamCompression } from "./stream-compression.ts";

test("deflates what Node inflates, and the other way round, up to a bound", async () => {
  const { bytes } = seededRandom("deflate");
  for (const length of [0, 1, 70_000, 1_000_000]) {
    const plain = bytes(length);
    const deflated = await streamCompression.deflateRaw(plain);
    expect(new Uint8Array(inflateRawSync(deflated))).toEqual(plain);
    const other = new Uint8Array(deflateRawSync(plain));
    expect(await streamCompression.inflateRaw(other, length)).toEqual(plain);
    if (length === 0) continue;
    const code = HeddleErrorCode.updateTooLarge;
    await expect(streamCompression.inflateRaw(other, length - 1)).rejects.toMatchObject({ code });
  }
});

test("rejects what is no deflate, or not all of it", async () => {
  const deflated = new Uint8Array(deflateRawSync(new Uint8Array(10_000).fill(7)));
  await expect(streamCompression.inflateRaw(deflated.slice(0, -3), 10_000)).rejects.toThrow();
  await expect(streamCompression.inflateRaw(Uint8Array.of(255, 255, 255), 100)).rejects.toThrow();
});
