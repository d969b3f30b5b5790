import { isHeddleError } from "@heddle/core";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";

import type { CommandIo } from "./command-io.ts";
import { diskLowDefault, port, size } from "./flag-values.ts";
import { addLanCommands } from "./lan-commands.ts";
import { addProjectionCommands, projectionsOption } from "./projections/projection-commands.ts";
import { addStoreCommands } from "./store-commands.ts";
import { replayFlags, type ReplayArguments } from "./replay/replay-options.ts";
import { version } from "./version.ts";

const ExitStatus = { fine: 0, found: 1, wrongUsage: 2 } as const;

/**
 * The `heddle` command. Exit status: 0 fine, 1 found something or failed, 2 wrong usage.
 *
 * @param stop ends commands that run until they are told to.
 */
export async function main(
  argv: readonly string[],
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  let status: number = ExitStatus.fine;
  const program = newProgram(io, stop, (given) => {
    status = given;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? ExitStatus.fine : ExitStatus.wrongUsage;
    }
    if (!isHeddleError(error)) throw error;
    io.err(`heddle: ${error.message} (${error.code})`);
    return error.code === "HEDDLE_CONFIG_INVALID" ? ExitStatus.wrongUsage : ExitStatus.found;
  }
}

function newProgram(io: CommandIo, stop: AbortSignal, done: (status: number) => void): Command {
  const program = new Command("heddle")
    .description(
      "Sync engine for Yjs documents: run a relay, replay traces through it, look inside.",
    )
    .version(version, "--version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    });
  addRelay(program, io, stop, done);
  addReplay(program, io, done);
  addInspect(program, io, done);
  addStoreCommands(program, io, done);
  addQuarantine(program, io, done);
  addLanCommands(program, io, stop, done);
  addProjectionCommands(program, io, stop, done);
  return program;
}

type Done = (status: number) => void;

/** Command bodies are loaded when they run: `heddle --help` need not load a database. */
function addRelay(program: Command, io: CommandIo, stop: AbortSignal, done: Done): void {
  program
    .command("relay")
    .description("store and forward documents for y-websocket clients")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port to listen on; 0 takes a free one", port, 8787)
    .option("--data <folder>", "where documents are kept", "heddle-data")
    .option("--app <folder>", "built web application to serve under /")
    .option("--token <secret>", "clients must send ?token=<secret>")
    .option("--allow-origin <origin...>", "web pages that may connect; * for all")
    .option(
      "--peer <url...>",
      "relays to keep in agreement with, as ws://, wss://, http:// or https://",
    )
    .option("--lan", "also keep in agreement with devices that heddle pair paired this folder with")
    .option("--open", "everybody who reaches the address may read and write")
    .option("--limit <name=value...>", "change a bound; docs/limits.md lists them all")
    .addOption(historyOption())
    .option("--limit-loopback", "bounds of one address hold for this machine too")
    .option("--trust-proxy", "a proxy stands in front and sets X-Forwarded-For")
    .option("--admin-port <n>", "serve health and metrics there; 0 takes a free one", port)
    .option("--admin-host <address>", "address of the admin port", "127.0.0.1")
    .addOption(adminTokenOption())
    .option("--drain-delay <ms>", "stay up this long after saying not ready", milliseconds, 0)
    .option(
      "--disk-low <size>",
      "accept nothing new below this much free disk; 0 for never",
      size,
      diskLowDefault,
    )
    .option(
      "--scrub-hours <n>",
      "read and prove the whole store this often; 0 for never",
      hours,
      24,
    )
    .option("--scrub-rate <size>", "how much of it to read in a second", size, 8 * 1024 * 1024)
    .addOption(projectionsOption())
    .option(
      "--reconcile <when>",
      "compare projections with documents: continuous, off, or a cron pattern",
      "continuous",
    )
    .option(
      "--reconcile-whole-hours <n>",
      "look at everything this often, and else at what moved; 0 for every time",
      hours,
      24,
    )
    .option("--reconcile-share <ratio>", "of the event loop that comparing may take", share, 0.1)
    .option("--reconcile-reads <n>", "reads in a second that it may make", reads, 20_000)
    .option(
      "--reconcile-thorough <when>",
      "make every document anew, too: off, or a cron pattern",
      "off",
    )
    .option("--reconcile-hours <from-to>", "only in these hours, as in 22:00-06:00")
    .option("--reconcile-zone <name>", "time zone of pattern and hours, as in Europe/Berlin")
    .addOption(logLevelOption())
    .option("--json", "announce in JSON, one event a line")
    .action(async (options) => {
      const { relayCommand } = await import("./relay-command.ts");
      done(await relayCommand(options, io, stop));
    });
}

function addReplay(program: Command, io: CommandIo, done: Done): void {
  const command = program
    .command("replay")
    .description("type a real editing trace through stock clients and compare what they end with")
    .argument("[trace]", "gzipped JSON of the editing-traces collection");
  for (const [flags, description] of replayFlags) command.option(flags, description);
  command
    .option("--json", "print one JSON object")
    .action(async (trace: string | undefined, options: Omit<ReplayArguments, "trace">) => {
      const { replayCommand } = await import("./replay/replay-command.ts");
      done(await replayCommand(trace === undefined ? options : { ...options, trace }, io));
    });
}

function addInspect(program: Command, io: CommandIo, done: Done): void {
  program
    .command("inspect")
    .description("list what a data folder holds; the relay must not be running")
    .argument("<data>", "data folder of a relay")
    .option("--doc <name>", "show one document: lanes, envelopes, digests")
    .option("--edit <id>", "find what has this correlation id, in hexadecimal, in every document")
    .option("--json", "print one JSON object")
    .action(async (data: string, options: { doc?: string; edit?: string; json?: boolean }) => {
      const { inspectCommand } = await import("./inspect-command.ts");
      done(await inspectCommand(data, options, io));
    });
}

/** All of them on a closed store: its lock keeps a running relay from being changed under. */
function addQuarantine(program: Command, io: CommandIo, done: Done): void {
  const command = program
    .command("quarantine")
    .description("list, release and export what was refused; the relay must not be running");
  command
    .command("list")
    .argument("<data>", "data folder of a relay")
    .option("--json", "print one JSON object for each document")
    .action(async (data: string, options: { json?: boolean }) => {
      const { quarantineList } = await import("./quarantine-command.ts");
      done(await quarantineList(data, options, io));
    });
  command
    .command("release")
    .argument("<data>", "data folder of a relay")
    .argument("[id...]", "ids as `list` says them, 8 digits or more")
    .requiredOption("--doc <name>", "the document that they belong to")
    .requiredOption("--by <who>", "who decides this, and why; kept beside it")
    .option("--all", "everything of the document")
    .action(async (data: string, ids: string[], options) => {
      const { quarantineRelease } = await import("./quarantine-command.ts");
      done(await quarantineRelease(data, ids, options, io));
    });
  command
    .command("export")
    .argument("<data>", "data folder of a relay")
    .argument("<id>", "as `list` says it, 8 digits or more")
    .requiredOption("--doc <name>", "the document that it belongs to")
    .requiredOption("--out <file>", "a new file for the Yjs V1 update")
    .action(async (data: string, id: string, options) => {
      const { quarantineExport } = await import("./quarantine-command.ts");
      done(await quarantineExport(data, id, options, io));
    });
}

/** What is on the command line, everybody on the machine can read in the process list. */
function adminTokenOption(): Option {
  return new Option("--admin-token <secret>", "asked for by the admin port as a bearer token").env(
    "HEDDLE_ADMIN_TOKEN",
  );
}

function historyOption(): Option {
  return new Option("--history <choice>", "of new documents: what checkpoints cover stays, or goes")
    .choices(["keep", "prune"])
    .default("keep");
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "what to log to the error stream")
    .choices(["debug", "info", "warn", "error", "silent"])
    .default("warn");
}

function milliseconds(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 600_000) return number;
  throw new InvalidArgumentError("it is not a whole number of milliseconds up to 600000.");
}

function share(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= 1) return number;
  throw new InvalidArgumentError("it is no number above 0 and up to 1.");
}

function reads(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("it is no whole number above 0.");
}

function hours(text: string): number {
  const number = Number(text);
  if (text !== "" && number >= 0 && number <= 8_760) return number;
  throw new InvalidArgumentError("it is not a number of hours up to 8760.");
}
