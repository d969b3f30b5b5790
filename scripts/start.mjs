// `npm start`: a relay with embedded LevelDB and the notes app, on this machine only.
import { spawn } from "node:child_process";
import path from "node:path";

import { build, install, root } from "./prepare.mjs";

install();
build();

const given = process.argv.slice(2);
const defaults = [
  "--data",
  path.join(root, ".heddle"),
  "--app",
  path.join(root, "apps/notes/dist"),
];
// A port that is free: somebody who only wants to look must not meet "address in use".
defaults.push("--admin-port", "0");
const relay = spawn(
  process.execPath,
  [path.join(root, "apps/cli/bin/heddle.js"), "relay", ...defaults, ...given],
  { stdio: "inherit" },
);
// The terminal sends Ctrl-C to the relay too; this process only has to outlive it.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => relay.kill("SIGTERM"));
relay.once("exit", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1);
});
