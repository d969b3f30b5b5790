import path from "node:path";

import { describe, expect, test } from "vitest";

import { files, packages, read, workspaces } from "./repository.ts";

// Goal: every package can be published as it stands, and is entered in one way.
// Method: compare each package.json with the house's shape.

describe("package.json", () => {
  test.each(workspaces)("$directory is MIT and an ES module", ({ manifest }) => {
    expect(manifest).toMatchObject({ license: "MIT", type: "module" });
  });

  test.each(packages)("$directory exports source, types and build of each entry", (workspace) => {
    const { directory, manifest } = workspace;
    const entries = Object.entries(manifest.exports ?? {});
    expect(entries.map(([entry]) => entry)).toContain(".");
    for (const [entry, targets] of entries) {
      const source = targets["heddle-src"] ?? "";
      expect(files, entry).toContain(path.posix.join(directory, source));
      const built = source.replace("./src/", "./dist/").replace(/\.ts$/, "");
      // The order is the meaning: the first condition that holds is taken.
      expect(Object.entries(targets), entry).toEqual([
        ["heddle-src", source],
        ["types", `${built}.d.ts`],
        ["default", `${built}.js`],
      ]);
    }
  });

  test.each(packages)(
    "$directory ships its source, but neither tests nor fixtures",
    (workspace) => {
      const shipped = (workspace.manifest as { readonly files?: readonly string[] }).files;
      const kept = files.some((file) => {
        return file.startsWith(`${workspace.directory}/src/`) && file.endsWith(".fixture.ts");
      });
      const wanted = [
        "dist",
        "src",
        "!src/**/*.test.ts",
        ...(kept ? ["!src/**/*.fixture.ts"] : []),
      ];
      expect(shipped).toEqual(expect.arrayContaining(wanted));
    },
  );

  test.each(packages)("$directory builds neither tests nor fixtures", ({ directory }) => {
    const { exclude } = JSON.parse(read(`${directory}/tsconfig.json`)) as { exclude?: string[] };
    expect(exclude).toEqual(expect.arrayContaining(["src/**/*.test.ts", "src/**/*.fixture.ts"]));
  });
});

test("every workspace of the compiler is built by the root, and is there", () => {
  const { references } = JSON.parse(read("tsconfig.json")) as {
    readonly references: readonly { readonly path: string }[];
  };
  const referenced = references.map((reference) => reference.path);
  expect(referenced).toEqual(expect.arrayContaining(packages.map(({ directory }) => directory)));
  const there = new Set(workspaces.map(({ directory }) => directory));
  expect(referenced.filter((directory) => !there.has(directory))).toEqual([]);
});
