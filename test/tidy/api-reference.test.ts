import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Goal: whatever an application can import is explained where it is declared, and is in the reference.
// Method: make the reference, and look at what it was made of.

interface Exported {
  readonly page: string;
  readonly name: string;
  readonly doc: string;
  readonly from: string;
}

describe("the API reference", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "heddle-api-"));
  let exported: readonly Exported[];
  const pageOf = (name: string): string => readFileSync(path.join(folder, name), "utf8");

  beforeAll(() => {
    const args = ["scripts/api-reference.mjs", "--to", folder, "--json"];
    exported = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Exported[];
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("every export of client, react, replica and the errors has a docstring", () => {
    const looked = exported.filter(({ page }) => /^(?:client|errors|react|replica)/.test(page));
    expect(looked.length).toBeGreaterThan(150);
    const bare = looked.filter(({ doc }) => doc === "");
    expect(bare.map(({ from, name }) => `${from}: ${name}`)).toEqual([]);
  });

  test("has all of them, once each, in a page that its index links", () => {
    const index = pageOf("README.md");
    const pages = readdirSync(folder).filter((name) => name !== "README.md");
    for (const page of pages) {
      expect(index).toContain(`](${page})`);
      const headings = [...pageOf(page).matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
      const names = exported.filter((one) => one.page === page).map(({ name }) => name);
      expect(headings.toSorted()).toEqual(names.toSorted());
    }
  });

  test("links nowhere that is not on its page", () => {
    for (const page of readdirSync(folder)) {
      const text = pageOf(page);
      const anchors = new Set(
        [...text.matchAll(/^#+ (.+)$/gm)].map(([, name]) => name!.toLowerCase()),
      );
      const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
      expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
    }
  });

  test("shows what can be called, and neither bodies nor what is private", () => {
    const client = pageOf("client.md");
    const provider = /### HeddleProvider\n[\s\S]*?(?=\n### )/.exec(client)?.[0] ?? "";
    expect(provider).toContain("class HeddleProvider extends ObservableV2");
    expect(provider).toContain("  get saved(): Saved;");
    expect(provider).toContain("  whenSaved(options: WaitOptions = {}): Promise<void>;");
    expect(provider).not.toMatch(/#\w+[;(:]|\breturn\b/);
    expect(pageOf("errors.md")).toContain('storageFull: "HEDDLE_STORAGE_FULL"');
  });
});
