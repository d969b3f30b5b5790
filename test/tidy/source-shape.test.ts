import path from "node:path";

import { describe, expect, test } from "vitest";

import { files, isCode, isTest, linesWith, read, withoutComments } from "./repository.ts";

// Goal: what reviews would repeat, the repository says itself.
// Method: read every file that is, or would be, committed.

/** Files written by tools, and this one, which has to spell out what it looks for. */
const texts = files.filter((file) => {
  return (
    /\.(ts|tsx|mts|js|mjs|cjs|json|md|css|html|yml|yaml|svg)$|^\.ci\//.test(file) &&
    file !== "package-lock.json" &&
    file !== "test/tidy/source-shape.test.ts"
  );
});
const code = texts.filter(isCode);

function codeLines(file: string): number {
  const lines = withoutComments(read(file)).split("\n");
  return lines.filter((line) => line.trim() !== "").length;
}

describe("source", () => {
  test("leaves no note to do something later", () => {
    const notes = code.flatMap((file) => linesWith(file, /\b(?:TODO|FIXME|XXX|HACK)\b/));
    expect(notes).toEqual([]);
  });

  test("runs all of its tests", () => {
    const focused = /\b(?:it|test|describe|suite)(?:\.\w+)*\.only\b|\b(?:fit|fdescribe|xit)\(/;
    const skipped = /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|todo|fails)\(/;
    const tests = code.filter(isTest);
    expect(tests.flatMap((file) => linesWith(file, focused))).toEqual([]);
    expect(tests.flatMap((file) => linesWith(file, skipped))).toEqual([]);
  });

  test("says why, where it drops an error", () => {
    const empty =
      /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(\w*\)\s*=>\s*(?:\{\s*\}|undefined)/g;
    const silent = code.flatMap((file) => {
      const text = read(file);
      const lines = text.split("\n");
      return [...text.matchAll(empty)].flatMap(({ index }) => {
        const line = text.slice(0, index).split("\n").length;
        const hasReason = /\/\/ |\*\//.test(`${lines[line - 2] ?? ""}\n${lines[line - 1]!}`);
        return hasReason ? [] : [`${file}:${line}`];
      });
    });
    expect(silent).toEqual([]);
  });

  test("switches no rule off without a reason on the same line", () => {
    const directive = /(?:oxlint|eslint)-disable|@ts-(?:ignore|nocheck|expect-error)/;
    const bare = code
      .flatMap((file) => linesWith(file, directive))
      .filter((line) => {
        return !/--\s+\S+\s+\S+|@ts-expect-error:?\s+\S+\s+\S+/.test(line);
      });
    expect(bare).toEqual([]);
  });
});

describe("files", () => {
  test("are kebab-case and have a name that says what is in them", () => {
    const drawers = /(^|[-.])(utils?|helpers?|commons?|misc|managers?|services?|stuff)([-.]|$)/;
    const named = code.map((file) => [file, path.basename(file).split(".")[0]!] as const);
    expect(named.filter(([, name]) => drawers.test(name))).toEqual([]);
    expect(named.filter(([, name]) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(files.filter((file) => /\/(utils?|helpers?|common|misc)\//.test(file))).toEqual([]);
  });

  test("are short: at most 500 lines of code, tests 800", () => {
    const long = code
      .map((file) => ({ file, lines: codeLines(file) }))
      .filter(({ file, lines }) => lines > (isLenient(file) ? 800 : 500));
    expect(long).toEqual([]);
  });

  test("hold no path of the machine that they were written on", () => {
    // Split, so that this line does not find itself.
    const machine = new RegExp(
      `(?:/${"work"}/|/${"root"}/|/tmp/${"peek"}|/home/\\w+/|/Users/\\w+/|[A-Z]:\\\\\\\\Users)`,
    );
    expect(texts.flatMap((file) => linesWith(file, machine))).toEqual([]);
  });

  test("end with a newline and carry no blanks at the ends of lines", () => {
    expect(texts.filter((file) => read(file) !== "" && !read(file).endsWith("\n"))).toEqual([]);
    expect(code.flatMap((file) => linesWith(file, /[ \t]+$|\r$/))).toEqual([]);
  });

  test("are small, so that a clone is", () => {
    const large = texts.filter((file) => read(file).length > 512 * 1024);
    expect(large).toEqual([]);
  });
});

/** As in .oxlintrc.json. */
function isLenient(file: string): boolean {
  return isTest(file) || file.startsWith("packages/testkit/") || file.startsWith("bench/");
}
