import { HeddleErrorCode } from "@heddle/core";
import { expect, test } from "vitest";

import { isPermanentBye } from "./bye-code.ts";
import { closeWordsOf, codeOfCloseCode, codeOfStatus, readCloseWords } from "./close-words.ts";

test("[TRN-4] every code and its reason are read as they were said", () => {
  for (const code of Object.values(HeddleErrorCode)) {
    for (const reason of ["", "why not", "HEDDLE_STORAGE_FULL is no reason"]) {
      expect(readCloseWords(closeWordsOf(code, reason))).toMatchObject({ code, reason });
    }
  }
});

test("a text is cut to what a WebSocket's close has room for, between characters", () => {
  for (const letter of ["a", "ß", "語", "🧵"]) {
    const { text } = closeWordsOf(HeddleErrorCode.sessionClosed, letter.repeat(200));
    const bytes = new TextEncoder().encode(text);
    expect(bytes.length).toBeLessThanOrEqual(123);
    expect(bytes.length).toBeGreaterThan(119);
    expect(text).toBe(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    expect(text.slice("HEDDLE_SESSION_CLOSED ".length).replaceAll(letter, "")).toBe("");
  }
});

test("words of others are read from their number, and kept short", () => {
  const words = { closeCode: 1013, text: "x".repeat(500) };
  const { code, reason } = readCloseWords(words);
  expect(code).toBe(HeddleErrorCode.relayOverloaded);
  expect(reason).toHaveLength(123);
});

test("[TRN-5] codes that are for good come of numbers that are", () => {
  const forGood = [4400, 4401, 4403, 4409, 4413, 4426, 4499].map(codeOfCloseCode);
  expect(forGood).not.toContain(HeddleErrorCode.sessionClosed);
  const passing = [1000, 1001, 1005, 1006, 1011, 3000, 4500].map(codeOfCloseCode);
  expect(new Set(passing)).toEqual(new Set([HeddleErrorCode.sessionClosed]));
  // What a dial that was refused with a status throws is told apart the same way.
  expect([401, 403, 426].map(isForGood)).toEqual([true, true, true]);
  expect([400, 404, 429, 500, 502, 503].map(isForGood)).not.toContain(true);
});

function isForGood(status: number): boolean {
  return isPermanentBye(closeWordsOf(codeOfStatus(status)).closeCode);
}
