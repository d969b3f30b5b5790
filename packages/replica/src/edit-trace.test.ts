import { expect, test } from "vitest";

import { traceFieldsOf, visibleReason } from "./edit-trace.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["a plain reason, with ümlauts and 文字", "a plain reason, with ümlauts and 文字"],
  ['x\n{"level":"error","event":"forged"}', 'x\\u{a}{"level":"error","event":"forged"}'],
  ["\u001B[2Jcleared\r\u0000", "\\u{1b}[2Jcleared\\u{d}\\u{0}"],
  ["\u202Edesrever\u2028next\u0085", "\\u{202e}desrever\\u{2028}next\\u{85}"],
])("[OBS-3] a reason is one line, whatever is in it: %j", (reason, shown) => {
  expect(visibleReason(bytes(reason))).toBe(shown);
  expect(traceFieldsOf({ correlationId: undefined, reason: bytes(reason) })).toEqual({
    editReason: shown,
  });
});

test("[OBS-3] bytes that are no text are shown as such, and nothing said is nothing shown", () => {
  expect(visibleReason(Uint8Array.of(0xff, 0x61))).toBe("\uFFFDa");
  expect(traceFieldsOf({ correlationId: undefined, reason: undefined })).toEqual({});
  const correlationId = Uint8Array.of(1, 0x0a, 255);
  expect(traceFieldsOf({ correlationId, reason: undefined })).toEqual({ correlationId: "010aff" });
});
