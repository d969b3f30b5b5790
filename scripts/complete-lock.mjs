// Adds the platform packages that `npm install` left out of package-lock.json.
//
// npm leaves an optional dependency out of the lock file when the registry at hand does not have it,
// and `npm ci` then refuses the lock file as incomplete, on every machine. The entries are those that
// npm would have written, but for the integrity hash: os and cpu keep npm from ever fetching them here.
// Run it after every change of dependencies; a tidy test tells when it was forgotten.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { root } from "./prepare.mjs";

const operatingSystems = { windows: "win32" };
const processors = { 64: "x64" };

const file = path.join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8"));
const { packages } = lock;
const added = {};
for (const [at, manifest] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (packages[key] || packages[`${at}/${key}`]) continue;
    added[key] = platformPackage(name, version, manifest);
  }
}
const sorted = Object.entries({ ...packages, ...added }).toSorted(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} platform packages added to package-lock.json`);

/** Names end in the platform: `@turbo/windows-arm64`, `@oxlint/binding-linux-x64-musl`. */
function platformPackage(name, version, { dev, license, engines }) {
  const [os, cpu, abi = ""] = name
    .split("/")
    .at(-1)
    .replace(/^binding-/, "")
    .split("-");
  const isMusl = abi.startsWith("musl");
  return {
    version,
    cpu: [processors[cpu] ?? cpu],
    ...(dev && { dev }),
    ...(os === "linux" && abi !== "" && { libc: [isMusl ? "musl" : "glibc"] }),
    ...(license && { license }),
    optional: true,
    os: [operatingSystems[os] ?? os],
    ...(engines && { engines }),
  };
}
