// `npm test`: checks and tests of everything, the browser tests included. Arguments go to vitest.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

import { build, install, root, run } from "./prepare.mjs";

const given = process.argv.slice(2);
const skipped = [];

install();
build();
provide("/usr/bin/chromium", "chromium", "browser tests (test/e2e)");
provide(
  "/usr/sbin/nft",
  "nftables",
  "faults of a real network (test/faults/network-faults.test.ts)",
);
provide("/usr/bin/ss", "iproute2", "faults of a real network (test/faults/network-faults.test.ts)");
if (!existsSync(path.join(root, "..", "shared", "data"))) {
  skipped.push("tests on recorded editing traces: there is no folder ../shared/data");
}
if (given.length === 0) {
  run("npx", ["oxlint", "--quiet"]);
  run("npx", ["oxfmt", "--check"]);
  run("npx", ["tsc", "-p", "tsconfig.check.json"]);
  run("npx", ["turbo", "boundaries"]);
}
const vitest = spawnSync("npx", ["vitest", "run", ...given], {
  cwd: root,
  stdio: "inherit",
  // The summary reporter says them at the end, just before the counts.
  env: { ...process.env, HEDDLE_SKIPPED: skipped.join("\n") },
});
process.exitCode = vitest.status ?? 1;

/** Installs a Debian package where that is possible, and says what is left out where it is not. */
function provide(file, debianPackage, what) {
  if (existsSync(file)) return;
  const canInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (canInstall) {
    console.error(`installing Debian's ${debianPackage} for ${what} ...`);
    const quiet = { stdio: ["ignore", "ignore", "inherit"] };
    spawnSync("apt-get", ["update", "-qq"], quiet);
    const options = ["install", "-y", "-qq", "--no-install-recommends", debianPackage];
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", options, { ...quiet, env: environment });
  }
  if (existsSync(file)) return;
  skipped.push(`${what}: ${file} is missing; as root: apt-get install ${debianPackage}`);
}
