import { toHex } from "@heddle/core";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { SourceTags } from "./source-tags.ts";

const { hash, random } = testEnvironment("source tags");

/** The two halves of a tag: whose address, which connection. */
function halves(tag: Uint8Array): [string, string] {
  return [toHex(tag.subarray(0, 4)), toHex(tag.subarray(4))];
}

test("[DOC-9] connections of one address share half of their tag, and each has its own", () => {
  const tags = new SourceTags(hash, random);
  const [first, second, other] = [
    halves(tags.tagOf(1, "192.0.2.1")),
    halves(tags.tagOf(2, "192.0.2.1")),
    halves(tags.tagOf(3, "192.0.2.2")),
  ];
  expect(first[0]).toBe(second[0]);
  expect(first[0]).not.toBe(other[0]);
  expect(new Set([first[1], second[1], other[1]]).size).toBe(3);
});

test("[DOC-9] on loopback, where addresses say nothing, each connection is by itself", () => {
  const tags = new SourceTags(hash, random);
  expect(halves(tags.tagOf(1, undefined))[0]).not.toBe(halves(tags.tagOf(2, undefined))[0]);
});

test("[DOC-9] another start of the relay gives an address another tag", () => {
  const [before, after] = [new SourceTags(hash, random), new SourceTags(hash, random)];
  expect(before.tagOf(1, "192.0.2.1")).not.toEqual(after.tagOf(1, "192.0.2.1"));
});
