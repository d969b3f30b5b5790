import type { LaneId } from "@heddle/core";
import { decodeUtf8 } from "lib0/string";
import { describe, expect, test } from "vitest";

import { rowsDigest } from "./document-rows.ts";
import { nodeHash as hash } from "./hash.fixture.ts";
import {
  decodeCursor,
  decodeGeneration,
  decodeLive,
  decodeMarker,
  decodeRow,
  decodeTotal,
  encodeCursor,
  encodeGeneration,
  encodeLive,
  encodeMarker,
  encodeRow,
  encodeTotal,
} from "./projection-records.ts";
import type { RowValue } from "./row-value.ts";
import {
  decodeDeadChange,
  decodeDropped,
  decodeSinkStart,
  encodeDeadChange,
  encodeDropped,
  encodeSent,
  encodeSinkStart,
} from "./sink-records.ts";

// Goal: records of today are read by every later heddle.
// Method: the text of each is spelt out; whoever changes one has to change the format's version.

const lane = "0123456789abcdef0123456789abcdef" as LaneId;
const marker = { log: "aa", rows: "bb", rowCount: 2, definition: "cc" };
const place = { wallMs: 5, counter: 6, lane, seq: 7 };
const generation = {
  definition: "dd",
  version: 3,
  policyVersion: 1,
  owner: "feed",
  state: "building",
  startedAtMs: 9,
} as const;
const dead = {
  id: "id",
  document: "dd",
  lane,
  seq: 3,
  reason: "no",
  attempts: 2,
  atMs: 5,
};
const cursor = { store: "ee", incarnation: "ff", arrival: 4 };

describe("records of a projection", () => {
  test.each([
    ["marker", encodeMarker(marker), '{"d":"cc","l":"aa","n":2,"r":"bb"}'],
    [
      "marker of a fold",
      encodeMarker({ ...marker, vector: new Map([[lane, 8]]) }),
      `{"d":"cc","l":"aa","n":2,"r":"bb","v":{"${lane}":8}}`,
    ],
    ["row", encodeRow({ value: [1, "x"] }), '{"v":[1,"x"]}'],
    ["row with a place", encodeRow({ value: null, place }), `{"p":[5,6,"${lane}",7],"v":null}`],
    ["total", encodeTotal({ value: { a: 1 }, documents: 2 }), '{"n":2,"v":{"a":1}}'],
    ["cursor", encodeCursor(cursor), '{"a":4,"i":"ff","s":"ee"}'],
    [
      "cursor of a comparison",
      encodeCursor({ ...cursor, comparedUpTo: "" }),
      '{"a":4,"c":"","i":"ff","s":"ee"}',
    ],
    [
      "generation",
      encodeGeneration(generation),
      '{"d":"dd","o":"feed","p":1,"s":"building","t":9,"v":3}',
    ],
    ["pointer", encodeLive(12), '{"g":12}'],
    ["beginning of a sink", encodeSinkStart({ name: "noting" }), '{"n":1}'],
    ["sink that has begun", encodeSinkStart({ name: "noted", newUpTo: 9 }), '{"u":9}'],
    ["place of a sink", encodeSent(new Map([[lane, 3]])), `{"${lane}":3}`],
    ["dead change", encodeDeadChange(dead), `{"a":2,"d":"dd","l":"${lane}","r":"no","s":3,"t":5}`],
    ["count of a sink", encodeDropped({ count: 4, atMs: 5 }), '{"n":4,"t":5}'],
  ])("a %s is written as ever", (_, bytes, text) => {
    expect(decodeUtf8(bytes)).toBe(text);
  });

  test("are read as they were written", () => {
    const folded = { ...marker, vector: new Map([[lane, 8]]) };
    expect(decodeMarker(encodeMarker(folded))).toEqual(folded);
    expect(decodeMarker(encodeMarker(marker))).toEqual(marker);
    expect(decodeRow(encodeRow({ value: 1, place }))).toEqual({ value: 1, place });
    expect(decodeTotal(encodeTotal({ value: "v", documents: 1 }))).toEqual({
      value: "v",
      documents: 1,
    });
    expect(decodeCursor(encodeCursor({ ...cursor, comparedUpTo: "x" }))).toEqual({
      ...cursor,
      comparedUpTo: "x",
    });
    expect(decodeGeneration(encodeGeneration(generation))).toEqual(generation);
    expect(decodeLive(encodeLive(12))).toBe(12);
    for (const start of [{ name: "noting" }, { name: "noted", newUpTo: 9 }] as const) {
      expect(decodeSinkStart(encodeSinkStart(start))).toEqual(start);
    }
    expect(decodeDeadChange("id", encodeDeadChange(dead))).toEqual(dead);
    expect(decodeDropped(encodeDropped({ count: 4, atMs: 5 }))).toEqual({ count: 4, atMs: 5 });
  });

  test("the digest of rows is what it was", () => {
    expect(
      rowsDigest(
        hash,
        new Map<string, RowValue>([
          ["b", [2]],
          ["a", 1],
        ]),
      ),
    ).toBe("1d4da32e993ae1d184d74c62c0e1095ccd4954b86edb0103e356d4a43e8c61d8");
  });

  test.each<[string, (bytes: Uint8Array) => unknown]>([
    ["marker", decodeMarker],
    ["row", decodeRow],
    ["total", decodeTotal],
    ["cursor", decodeCursor],
    ["generation", decodeGeneration],
    ["pointer", decodeLive],
    ["beginning of a sink", decodeSinkStart],
    ["dead change", (bytes) => decodeDeadChange("id", bytes)],
    ["count of a sink", decodeDropped],
  ])("what is no %s is refused", (_, decode) => {
    for (const text of ["{}", "[]", "1", '{"p":1,"v":1}', '{"g":-1}', '{ "g":1}', "{"]) {
      expect(() => decode(new TextEncoder().encode(text))).toThrow(/canonical|cannot be read/);
    }
  });
});
