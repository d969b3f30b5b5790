import { isHeddleError } from "@heddle/core";
import { decodeUtf8, encodeUtf8 } from "lib0/string";
import { expect, test } from "vitest";

import { decodeJobRecord, encodeJobRecord, type JobRecord } from "./job-record.ts";

// Goal: records of today are read by every later heddle.

const record: JobRecord = {
  run: "ab",
  state: "running",
  plan: "cd",
  startedAtMs: 5,
  phase: "store",
  after: "p",
  counts: { drifts: 2 },
  provenAtMs: 3,
};
const text =
  '{"a":"p","c":{"drifts":2},"d":"cd","p":"store","r":"ab","s":"running","t":5,"v":1,"w":3}';

test("[REC-6] a job's record is written as it always was, and read again", () => {
  expect(decodeUtf8(encodeJobRecord(record))).toBe(text);
  expect(decodeJobRecord(encodeUtf8(text))).toEqual(record);
  const { after: _, provenAtMs: __, ...first } = record;
  expect(decodeJobRecord(encodeJobRecord(first))).toMatchObject(first);
});

test.each([
  ["another version", text.replace('"v":1', '"v":2')],
  ["another state", text.replace("running", "walking")],
  ["another phase", text.replace("store", "shop")],
  ["no counts", text.replace('{"drifts":2}', "[]")],
  ["no number", text.replace('"t":5', '"t":"5"')],
  ["no record", "[]"],
])("%s is refused with a code", (_, wrong) => {
  const read = (): JobRecord => decodeJobRecord(encodeUtf8(wrong));
  expect(read).toThrow();
  try {
    read();
  } catch (error) {
    expect(isHeddleError(error, "HEDDLE_STORAGE_CORRUPT")).toBe(true);
  }
});
