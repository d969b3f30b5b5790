import { expect, test } from "vitest";

import { files, read } from "./repository.ts";

// Goal: what docs/threat-model.md says is stopped, is stopped somewhere that a reader can open.
// Method: look up every file, document and promise that it names.

const page = read("docs/threat-model.md");

test("every file that the page names is there", () => {
  const named = [...page.matchAll(/`((?:packages|apps|test)\/[\w./-]+)`/g)].map(
    ([, file]) => file!,
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((file) => !files.includes(file))).toEqual([]);
});

test("every promise that the page names is one", () => {
  const promised = read("docs/guarantees.md");
  const named = [...page.matchAll(/\b(?:LOG|STO|DOC|RLY|APP|OPS|LAN)-\d+\b/g)].map(
    ([number]) => number,
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((number) => !promised.includes(`**${number}**`))).toEqual([]);
});

test("what nothing shows is called left over: a guard without a test is a wish", () => {
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.split("|").length === 6);
  const guards = rows.map((row) => row.split("|").map((cell) => cell.trim()));
  const unshown = guards.filter(([, , stops, shown]) => {
    return shown === "" && stops !== "" && !/^(?:nothing|passed on|file modes)/.test(stops!);
  });
  expect(unshown.map(([, attack]) => attack)).toEqual([]);
});

test("every attack that has a test by name has that test", () => {
  const rows = [...page.matchAll(/^\| [^|]+ \| "([^"|]+)" \| `([^`]+)` \|$/gm)];
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows.filter(([, title, file]) => {
    // Behind the promises that a title begins with.
    return !files.includes(file!) || !new RegExp(`["\\] ]${quoted(title!)}"`).test(read(file!));
  });
  expect(missing.map(([, title]) => title)).toEqual([]);
});

function quoted(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
