#!/usr/bin/env node
import { main } from "../dist/main.js";

const io = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  isTTY: process.stderr.isTTY === true,
  get columns() {
    return process.stderr.columns;
  },
};

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) {
  // The first one asks for an orderly stop; a second one is somebody who does not want to wait.
  process.once(signal, () => {
    stopping.abort();
    process.once(signal, () => process.exit(1));
  });
}

process.exitCode = await main(process.argv.slice(2), io, stopping.signal);
