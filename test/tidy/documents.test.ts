import path from "node:path";

import { describe, expect, test } from "vitest";

import { files, read, workspaces } from "./repository.ts";

// Goal: whoever follows a document arrives.
// Method: look up every link and every `npm run` of every page.

const pages = files.filter((file) => file.endsWith(".md") && !file.startsWith(".changeset/"));
const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, "");

/** As the sites that show Markdown make them. */
function anchorsOf(page: string): Set<string> {
  const headings = [...withoutCode(read(page)).matchAll(/^#+ (.+)$/gm)].map(([, text]) => text!);
  return new Set(
    headings.map((heading) => {
      return heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-");
    }),
  );
}

describe("documents", () => {
  test.each(pages)("%s links to what is there", (page) => {
    const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => to!);
    const dead = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [to = "", anchor] = link.split("#");
      const file = to === "" ? page : path.posix.join(path.posix.dirname(page), to);
      const isThere = files.includes(file) || files.some((other) => other.startsWith(`${file}/`));
      if (!isThere) return true;
      return anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  test("in docs/ are all on its table of contents", () => {
    const contents = read("docs/README.md");
    const there = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page));
    const missing = there.filter((page) => !contents.includes(`](${path.posix.basename(page)})`));
    expect(missing).toEqual(["docs/README.md"]);
  });

  test("name scripts that there are", () => {
    const manifests = workspaces.map(({ manifest }) => manifest as { scripts?: object });
    const scripts = new Set(manifests.flatMap((manifest) => Object.keys(manifest.scripts ?? {})));
    const named = pages.flatMap((page) => {
      const runs = read(page).matchAll(/npm run (?:--silent )?([\w:-]+)/g);
      return Array.from(runs, ([, script]) => ({ page, script: script! }));
    });
    expect(named.filter(({ script }) => !scripts.has(script))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });

  test("name programs in scripts/ that there are", () => {
    const named = pages.flatMap((page) => {
      const programs = read(page).matchAll(/node (scripts\/[\w.-]+)/g);
      return Array.from(programs, ([, program]) => program!);
    });
    expect(named.filter((program) => !files.includes(program))).toEqual([]);
    expect(named.length).toBeGreaterThan(2);
  });
});
