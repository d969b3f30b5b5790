#!/usr/bin/env node
import { main } from "../dist/main.js";

const io = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  // A dumb one shows what comes, and nothing can be drawn over it.
  isTTY: process.stderr.isTTY === true && process.env.TERM !== "dumb",
  hasColors: process.stderr.isTTY === true && process.stderr.hasColors(),
  get columns() {
    return process.stderr.columns;
  },
  get rows() {
    return process.stderr.rows;
  },
};

const stopping = new AbortController();
let isCut = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", ({ code, message }) => {
    stopping.abort();
    // Whoever read it has gone (`heddle peer | head`), or the terminal: an orderly stop, and nothing more to say.
    if (isCut || code === "EPIPE" || code === "EIO") return;
    isCut = true;
    process.exitCode = 1;
    if (stream !== process.stderr)
      io.err(`heddle: what was to be said could not be written: ${message}`);
  });
}
for (const signal of ["SIGINT", "SIGTERM"]) {
  // The first one asks for an orderly stop; a second one is somebody who does not want to wait.
  process.once(signal, () => {
    stopping.abort();
    process.once(signal, () => process.exit(1));
  });
}

const status = await main(process.argv.slice(2), io, stopping.signal);
process.exitCode = isCut && status === 0 ? 1 : status;
