import * as fc from "fast-check";
import { expect, test } from "vitest";

import { openLogger } from "./logger.ts";
import { visibleText } from "./visible-text.ts";

test.each([
  ["\u202Egpj.exe", "\\u202egpj.exe"],
  ["notes\u2066", "notes\\u2066"],
  ["no\u200Btes", "no\\u200btes"],
  ["no\u200Dtes", "no\\u200dtes"],
  ["no\u00ADtes", "no\\u00adtes"],
  ["a\u00A0b", "a\\u00a0b"],
  ["\u3164", "\\u3164"],
  ["\u{E0041}", "\\udb40\\udc41"],
  ["\x1B[2J", "\\u001b[2J"],
  ["\uFEFFnotes", "\\ufeffnotes"],
])("[OPS-4] %j is shown as %j", (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});

test.each([
  "meeting notes",
  "Grüße",
  "你好 世界",
  "שלום",
  "مرحبا",
  "می\u200Cخواهم",
  "क्\u200Dष",
  "👩\u200D💻",
  "❤\uFE0F",
  "e\u0301té",
])("[OPS-4] %j is an honest name, and shown as it is", (text) => {
  expect(visibleText(text)).toBe(text);
});

test("[OPS-4] a line of the log shows what is in it, and JSON reads it as it was", () => {
  const characters = fc.constantFrom(
    "a",
    " ",
    "\u202E",
    "\u200D",
    "\u2069",
    "é",
    "👩",
    "\u{E0041}",
  );
  fc.assert(
    fc.property(fc.string({ unit: characters }), (name) => {
      const lines: string[] = [];
      const io = { out: () => undefined, err: (line: string) => lines.push(line), isTTY: false };
      openLogger(io, { level: "debug" }).debug("document.named", { name });
      expect(lines[0]).not.toMatch(/[\u202E\u2069\u{E0041}]/u);
      expect(JSON.parse(lines[0]!)).toMatchObject({ name });
    }),
  );
});
