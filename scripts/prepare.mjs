import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the root and ends this process when it fails. */
export function run(command, args, environment = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", ...environment },
  });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs exactly what the lock file says, unless that is what is installed. */
export function install() {
  assertNode();
  const lock = path.join(root, "package-lock.json");
  const installed = createHash("sha256").update(readFileSync(lock)).digest("hex");
  const marker = path.join(root, "node_modules", ".heddle-installed");
  if (isInstalled(lock, marker, installed)) return;
  console.error("installing dependencies (first run, or the lock file changed) ...");
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(marker, installed);
}

/** By content; where somebody ran `npm ci` by hand, by age. */
function isInstalled(lock, marker, installed) {
  if (existsSync(marker)) return readFileSync(marker, "utf8") === installed;
  const npmMarker = path.join(root, "node_modules", ".package-lock.json");
  return existsSync(npmMarker) && statSync(npmMarker).mtimeMs >= statSync(lock).mtimeMs;
}

/** Builds what changed since the last time. */
export function build() {
  run("npx", ["turbo", "run", "build", "--output-logs=errors-only", "--no-update-notifier"]);
}

function assertNode() {
  const { engines } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = engines.node.replace(">=", "").split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  console.error(`heddle needs Node ${engines.node}; this is ${process.versions.node}.`);
  process.exit(2);
}
