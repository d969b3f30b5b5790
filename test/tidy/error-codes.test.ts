import { HeddleErrorCode } from "@heddle/core";
import { CloseCode, closeCodeOf } from "@heddle/relay";
import { describe, expect, test } from "vitest";

import { read } from "./repository.ts";

// Goal: whoever meets a code finds what to do about it.
// Method: compare docs/errors.md with the table of codes and with the relay's close codes.

const page = read("docs/errors.md");
const codes = Object.values(HeddleErrorCode);
const labels = ["Means", "Seen by", "Do", "Close code"];

const sections = new Map(
  page
    .split(/^## /m)
    .filter((section) => section.startsWith("HEDDLE_"))
    .map((section) => {
      const [heading = "", ...body] = section.split("\n");
      return [heading.trim(), body.join("\n")];
    }),
);

function labelled(code: string, label: string): string | undefined {
  const pattern = new RegExp(`^- \\*\\*${label}\\*\\* (.+)$`, "m");
  return pattern.exec(sections.get(code) ?? "")?.[1];
}

describe("docs/errors.md", () => {
  test("lists every code, in the order of the table, and no other", () => {
    expect([...sections.keys()]).toEqual(codes);
    expect(new Set(codes).size).toBe(codes.length);
  });

  test("mentions no code that does not exist", () => {
    const mentioned = page.match(/HEDDLE_[A-Z_]*[A-Z]/g) ?? [];
    expect(mentioned.filter((code) => !codes.includes(code as HeddleErrorCode))).toEqual([]);
  });

  test.each(codes)(
    "says of %s what it means, who sees it, what to do and how it closes",
    (code) => {
      const missing = labels.filter((label) => (labelled(code, label) ?? "") === "");
      expect(missing).toEqual([]);
    },
  );

  test.each(codes)("names the close code that a relay gives for %s", (code) => {
    const said = labelled(code, "Close code");
    const given = closeCodeOf(code);
    // Only what is left at the default may be said never to reach a client.
    const isNone = said?.startsWith("none: ") && given === CloseCode.tryAgainLater;
    expect(isNone ? String(given) : said).toBe(String(given));
  });

  test("explains every close code of the relay, and no other", () => {
    const rows = [...page.matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
    expect(rows.toSorted()).toEqual(Object.values(CloseCode).toSorted());
  });
});

test("a code is called what it says", () => {
  for (const [name, code] of Object.entries(HeddleErrorCode)) {
    const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    expect(code).toBe(`HEDDLE_${words}`);
  }
});
