import path from "node:path";

import { describe, expect, test } from "vitest";

import {
  files,
  importsOf,
  isCode,
  isTest,
  packageOf,
  packages,
  read,
  rootWorkspace,
  workspaceOf,
  workspaces,
  type Import,
  type Workspace,
} from "./repository.ts";

// Goal: who may import whom is a fact, not a wish.
// Method: read every import statement and every package.json, and compare them with the table.

interface Rule {
  readonly kind: "kernel" | "runtime" | "adapter" | "test";
  readonly mayImport: readonly string[];
  /** Dependencies of dependencies, which nothing here imports. */
  readonly asksFor?: readonly string[];
  /** The only files of the package that may touch Node's own modules; `undefined` is none. */
  readonly nodeFiles?: RegExp;
}

const everyFile = /./;
const kernelAndReplica = ["@heddle/core", "@heddle/document", "@heddle/replica"];

/** A package that is new, or imports something new, gets a decision here. */
const table: Readonly<Record<string, Rule>> = {
  "@heddle/core": { kind: "kernel", mayImport: ["lib0"] },
  "@heddle/document": { kind: "kernel", mayImport: ["@heddle/core", "lib0", "yjs"] },
  "@heddle/sync": { kind: "kernel", mayImport: ["@heddle/core", "lib0"] },
  "@heddle/reconcile": { kind: "kernel", mayImport: ["@heddle/core", "lib0"] },
  "@heddle/replica": {
    kind: "runtime",
    // Yjs only for the worker that tries updates: what it finds out is what Yjs does.
    mayImport: [
      "@heddle/core",
      "@heddle/document",
      "@heddle/reconcile",
      "@heddle/sync",
      "croner",
      "y-protocols",
      "yjs",
    ],
    // The subpath `@heddle/replica/node`, so that the engine itself still runs in a browser.
    nodeFiles: /\/src\/node-[^/]*\.ts$/,
  },
  "@heddle/storage-level": {
    kind: "adapter",
    // `level` asks for Node's `events`, and bundlers for browsers do not bring it.
    mayImport: ["@heddle/core", "@heddle/reconcile", "level", "lib0", "events"],
    asksFor: ["events"],
    // What `@heddle/storage-level/browser` needs is kept apart by a test of its own.
    nodeFiles: everyFile,
  },
  "@heddle/client": {
    kind: "runtime",
    // The store for the browser's platform alone: a page keeps documents without being told where.
    mayImport: [
      ...kernelAndReplica,
      "@heddle/storage-level",
      "@heddle/sync",
      "@noble/curves",
      "@noble/hashes",
      "lib0",
      "y-protocols",
      "y-websocket",
      "yjs",
    ],
  },
  "@heddle/react": {
    kind: "runtime",
    mayImport: ["@heddle/client", "react", "y-protocols", "yjs"],
  },
  "@heddle/relay": {
    kind: "runtime",
    mayImport: [
      ...kernelAndReplica,
      "@heddle/sync",
      "@hono/node-server",
      "hono",
      "lib0",
      "prom-client",
      "sirv",
      "ws",
      "y-protocols",
    ],
    nodeFiles: everyFile,
  },
  "@heddle/lan": {
    kind: "adapter",
    mayImport: ["@heddle/core", "@heddle/replica", "@heddle/sync", "bonjour-service", "ws"],
    nodeFiles: everyFile,
  },
  "@heddle/testkit": {
    kind: "test",
    mayImport: [
      ...kernelAndReplica,
      "@heddle/reconcile",
      "@heddle/sync",
      "fast-check",
      "lib0",
      "vitest",
      "yjs",
    ],
    nodeFiles: everyFile,
  },
};

/** Entries that a page may import, with all that they pull in. */
const browserEntries = [
  "packages/client/src/index.ts",
  "packages/client/src/platform/browser-platform.ts",
  "packages/core/src/index.ts",
  "packages/document/src/index.ts",
  "packages/react/src/index.ts",
  "packages/reconcile/src/index.ts",
  "packages/client/src/engine/sides.ts",
  "packages/replica/src/index.ts",
  "packages/replica/src/live-index.ts",
  "packages/storage-level/src/browser-index.ts",
  "packages/sync/src/connection-index.ts",
  "packages/sync/src/index.ts",
];

const codeFiles = files.filter(isCode);
const allImports = codeFiles.flatMap(importsOf);

function isShipped(file: string): boolean {
  const { directory, manifest } = workspaceOf(file);
  const isPart = /^(packages|apps)\//.test(directory) && manifest.name !== "@heddle/testkit";
  return isPart && !isTest(file) && /^(src|bin)\//.test(path.relative(directory, file));
}

/** Without those of types alone, which nothing is left of. */
function shippedImportsOf(file: string): Import[] {
  const isOfTypes = /^[ \t]*(?:import|export)\s+type\b/;
  const lines = read(file).split("\n");
  return importsOf(file).filter(({ line }) => {
    let first = line - 1;
    while (first > 0 && !/^[ \t]*(?:import|export)\b/.test(lines[first]!)) first--;
    return !isOfTypes.test(lines[first]!);
  });
}

function described({ file, line, specifier }: Import): string {
  return `${file}:${line} imports ${specifier}`;
}

function runtimeDependencies({ manifest }: Workspace): string[] {
  return [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies].flatMap(
    (group) => Object.keys(group ?? {}),
  );
}

function declared(workspace: Workspace): Set<string> {
  const { devDependencies = {} } = workspace.manifest;
  const ofRoot = rootWorkspace.manifest.devDependencies ?? {};
  return new Set([
    ...runtimeDependencies(workspace),
    ...Object.keys(devDependencies),
    ...Object.keys(ofRoot),
  ]);
}

describe("who may import whom", () => {
  test("every package has its row, and the build tool knows the same kind", () => {
    expect(packages.map(({ manifest }) => manifest.name).toSorted()).toEqual(
      Object.keys(table).toSorted(),
    );
    const tags = packages.map(({ directory, manifest }) => {
      const turbo = JSON.parse(read(`${directory}/turbo.json`)) as { readonly tags: string[] };
      return [manifest.name, turbo.tags];
    });
    expect(tags).toEqual(packages.map(({ manifest: { name } }) => [name, [table[name!]!.kind]]));
  });

  test("source of a package imports what the table allows", () => {
    const wrong = allImports.filter(({ file, specifier }) => {
      const rule = table[workspaceOf(file).manifest.name ?? ""];
      const imported = packageOf(specifier);
      if (rule === undefined || imported === undefined || isTest(file)) return false;
      if (!file.startsWith(`${workspaceOf(file).directory}/src/`)) return false;
      if (imported === "node:*") return !rule.nodeFiles?.test(file);
      return !rule.mayImport.includes(imported);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("package.json asks for nothing that the table forbids, and for nothing that is not used", () => {
    const wrong = packages.flatMap((workspace) => {
      const { name } = workspace.manifest;
      const used = new Set(
        allImports
          .filter(({ file }) => workspaceOf(file) === workspace && !isTest(file))
          .map(({ specifier }) => packageOf(specifier)),
      );
      const asked = Object.keys(workspace.manifest.dependencies ?? {});
      return [
        ...runtimeDependencies(workspace)
          .filter((dependency) => !table[name!]!.mayImport.includes(dependency))
          .map((dependency) => `${name} may not depend on ${dependency}`),
        ...asked
          .filter(
            (dependency) => !used.has(dependency) && !table[name!]!.asksFor?.includes(dependency),
          )
          .map((dependency) => `${name} depends on ${dependency} and does not import it`),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test("shipped source is installed with everything it imports", () => {
    const wrong = allImports.filter(({ file, specifier }) => {
      const imported = packageOf(specifier);
      if (imported === undefined || imported === "node:*" || !isShipped(file)) return false;
      return !runtimeDependencies(workspaceOf(file)).includes(imported);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("tests and tools import what some package.json declares", () => {
    const own = new Set(workspaces.map(({ manifest }) => manifest.name));
    const wrong = allImports.filter(({ file, specifier }) => {
      const imported = packageOf(specifier);
      const workspace = workspaceOf(file);
      if (imported === undefined || imported === "node:*" || isShipped(file)) return false;
      // Tests at the root stand above all packages and may use each by its public entry.
      if (workspace === rootWorkspace && own.has(imported)) return false;
      return !declared(workspace).has(imported);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("shipped source never imports the testkit, and nobody imports an application", () => {
    const apps = workspaces.filter(({ directory }) => /^(apps\/|bench)/.test(directory));
    const names = new Set(apps.map(({ manifest }) => manifest.name));
    const wrong = allImports.filter(({ file, specifier }) => {
      const imported = packageOf(specifier);
      return (isShipped(file) && imported === "@heddle/testkit") || names.has(imported);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("packages are entered by their public entries only", () => {
    const entries = new Set(
      packages.flatMap(({ manifest: { name = "", exports = {} } }) => {
        return Object.keys(exports).map((entry) => name + entry.slice(1));
      }),
    );
    const wrong = allImports.filter(({ specifier }) => {
      return specifier.startsWith("@heddle/") && !entries.has(specifier);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("no path leads into another package, nor into what was built of it", () => {
    const wrong = allImports.filter(({ file, specifier }) => {
      if (!specifier.startsWith(".")) return specifier.startsWith("/");
      const target = path.posix.join(path.posix.dirname(file), specifier);
      const isForeign = workspaceOf(target) !== workspaceOf(file);
      const isOwnBuild = target.startsWith(`${workspaceOf(file).directory}/dist/`);
      const mayStartBuild = file.startsWith(`${workspaceOf(file).directory}/bin/`);
      return isForeign || (isOwnBuild && !mayStartBuild);
    });
    expect(wrong.map(described)).toEqual([]);
  });

  test("what is for browsers reaches no module of Node's", () => {
    const seen = new Set<string>();
    const wrong: string[] = [];
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const found of shippedImportsOf(file)) {
        if (packageOf(found.specifier) === "node:*") wrong.push(described(found));
        if (!found.specifier.startsWith(".")) continue;
        visit(path.posix.join(path.posix.dirname(file), found.specifier));
      }
    };
    for (const entry of browserEntries) visit(entry);
    expect(wrong).toEqual([]);
    expect(seen.size).toBeGreaterThan(200);
  });
});
