// Builds the bench and the relay it measures, then runs it. Arguments go through: `npm run bench -- --quick`.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = process.argv.slice(2);

function node(...parts) {
  const { status } = spawnSync(process.execPath, parts, { cwd: root, stdio: "inherit" });
  return status ?? 1;
}

function needsRelay() {
  const at = args.findIndex((arg) => arg.startsWith("--servers"));
  return (
    at === -1 ||
    args
      .slice(at, at + 2)
      .join()
      .includes("heddle")
  );
}

function build() {
  if (args.includes("--no-build") || args.includes("--help")) return 0;
  const projects = needsRelay() ? ["bench", "apps/cli"] : ["bench"];
  // A relay from an older build would be measured without a word, so a failed build ends the run.
  return node("node_modules/typescript/bin/tsc", "-b", ...projects);
}

process.exitCode = build() || node("bench/dist/main.js", ...args);
