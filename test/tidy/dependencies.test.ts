import { describe, expect, test } from "vitest";

import { files, read, rootWorkspace, workspaces } from "./repository.ts";

// Goal: a fresh clone installs today what it installed yesterday, and one copy of what must be one.
// Method: read every package.json and the lock file.

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly link?: boolean;
}

const lock = JSON.parse(read("package-lock.json")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const locked = Object.entries(lock.packages);

function copiesOf(name: string): [string, string][] {
  return locked
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([path, { version = "" }]) => [path, version]);
}

/** Numeric order of `major.minor.patch`. */
function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}

/** Stock server and clients as users have them: started by tests and benches, shipped by nobody. */
const oldPeers = /^node_modules\/(?:@y\/websocket-server|y-websocket-2)\//;

const records = files.filter((file) => /^docs\/adr\/\d/.test(file)).map(read);

/** Whether a page names that package. What is a word of English too has to stand in code, or in front of a row. */
function names(name: string): (page: string) => boolean {
  const escaped = name.replaceAll(/[/.]/g, "\\$&");
  const isWord = /^[a-z]+$/.test(name);
  const inRow = `^\\| (?:[^|]*[ \`])?${escaped}[ ,\`][^|]*\\|`;
  const pattern = isWord ? `\`${escaped}\`|${inRow}` : `(?<![\\w@/-])${escaped}(?![\\w/-])`;
  return (page) => new RegExp(pattern, "m").test(page);
}

const exactVersion = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/;

describe("package.json", () => {
  test.each(workspaces)("$directory asks for exact versions", ({ manifest }) => {
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    const loose = [dependencies, devDependencies, optionalDependencies]
      .flatMap((group) => Object.entries(group ?? {}))
      .filter(([, version]) => !exactVersion.test(version));
    expect(loose).toEqual([]);
  });

  test("all workspaces agree on the version of what they share", () => {
    const versions = new Map<string, Set<string>>();
    for (const { manifest } of workspaces) {
      const { dependencies, devDependencies } = manifest;
      for (const group of [dependencies, devDependencies]) {
        for (const [name, version] of Object.entries(group ?? {})) {
          versions.set(name, (versions.get(name) ?? new Set()).add(version));
        }
      }
    }
    expect([...versions].filter(([, several]) => several.size > 1)).toEqual([]);
  });

  test("asks for nothing that no decision record gives a reason for", () => {
    const unexplained = workspaces.flatMap(({ directory, manifest }) => {
      const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest;
      return [dependencies, devDependencies, optionalDependencies, peerDependencies]
        .flatMap((group) => Object.keys(group ?? {}))
        .filter((name) => !name.startsWith("@heddle/") && !records.some(names(name)))
        .map((name) => `${directory}: ${name}`);
    });
    expect(records.length).toBeGreaterThan(50);
    expect(unexplained).toEqual([]);
  });

  test("what a package leaves to its user, its own tests have too", () => {
    const missing = workspaces.flatMap(({ directory, manifest }) => {
      const here = { ...rootWorkspace.manifest.devDependencies, ...manifest.devDependencies };
      return Object.keys(manifest.peerDependencies ?? {})
        .filter((name) => here[name] === undefined)
        .map((name) => `${directory}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});

describe("package-lock.json", () => {
  test("has one copy of yjs: a second one breaks instanceof without a word", () => {
    expect(copiesOf("yjs")).toHaveLength(1);
  });

  test("has one copy of lib0, with decoders that stay inside their bytes (0.2.118)", () => {
    expect(copiesOf("lib0")).toHaveLength(1);
    expect(copiesOf("lib0").filter(([, version]) => !isAtLeast(version, "0.2.118"))).toEqual([]);
  });

  test("has no ws that a stranger can stop (8.21), but in the old peers that tests compare with", () => {
    const shipped = copiesOf("ws").filter(([path]) => !oldPeers.test(path));
    expect(shipped.length).toBeGreaterThan(0);
    expect(shipped.filter(([, version]) => !isAtLeast(version, "8.21.0"))).toEqual([]);
  });

  test("is complete, or npm ci refuses it: node scripts/complete-lock.mjs", () => {
    const missing = locked.flatMap(([path, { optionalDependencies }]) => {
      return Object.keys(optionalDependencies ?? {}).filter((name) => {
        const places = [`node_modules/${name}`, `${path}/node_modules/${name}`];
        return !places.some((place) => lock.packages[place]);
      });
    });
    expect(missing).toEqual([]);
  });

  test("names no registry, so that every network can install from its own", () => {
    const named = locked.filter(([, { resolved }]) => resolved?.includes("://"));
    expect(named.map(([path]) => path)).toEqual([]);
  });

  test("knows every workspace with the dependencies that its package.json has", () => {
    const stale = workspaces.filter(({ directory, manifest }) => {
      const entry = lock.packages[directory] as typeof manifest | undefined;
      const groups = ["dependencies", "devDependencies", "peerDependencies"] as const;
      return groups.some((group) => sorted(entry?.[group]) !== sorted(manifest[group]));
    });
    expect(stale.map(({ directory }) => directory)).toEqual([]);
  });
});

function sorted(group: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify(Object.entries(group).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
