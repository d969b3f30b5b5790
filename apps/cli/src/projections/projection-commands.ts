import { InvalidArgumentError, Option, type Command } from "commander";

import type { CommandIo } from "../command-io.ts";
import type { AuditOptions, RebuildOptions, ReconcileOptions } from "./reconcile-command.ts";
import type { ProjectionsOptions } from "./projections-command.ts";
import type { SinksOptions } from "./sinks-command.ts";

type Done = (status: number) => void;

const dataText = "data folder of a relay, which may be running with --projections";

/** Commands for what is derived from documents. Each is loaded when it runs. */
export function addProjectionCommands(
  program: Command,
  io: CommandIo,
  stop: AbortSignal,
  done: Done,
): void {
  program
    .command("reconcile")
    .description("compare projections with their documents, and correct them")
    .argument("[data]", dataText, "heddle-data")
    .addOption(projectionsOption())
    .option("--projection <name>", "only this one")
    .option("--partition <name>", "only this partition of each")
    .option("--partition-prefix <text>", "only partitions that begin so, as those of a tenant")
    .option("--document <id...>", "only these documents, by their ids in hex")
    .option("--key-from <key>", "only keys from this one on")
    .option("--key-to <key>", "only keys below this one")
    .option("--sample <ratio>", "only so many of all partitions, above 0 and below 1", ratio)
    .option("--sample-seed <text>", "which ones; without it others with each run")
    .option(
      "--if-moved",
      "look only at what a running relay knows to have moved since its last look",
    )
    .option("--dry-run", "say what differs, and write nothing")
    .option("--thorough", "make every document anew, and not only those whose digests differ")
    .option("--corrections-max <n>", "stop after so many", count)
    .option("--accept-cap", "go on although the run before stopped at its cap")
    .option("--json", "print one JSON object for each projection")
    .action(async (data: string, options: ReconcileOptions) => {
      const { reconcileCommand } = await import("./reconcile-command.ts");
      done(await reconcileCommand(data, options, io, stop));
    });
  program
    .command("audit")
    .description("who corrected what, when and why")
    .argument("[data]", dataText, "heddle-data")
    .option("--projection <name>", "only of this one")
    .option("--limit <n>", "the newest so many", count, 100)
    .option("--json", "print one JSON object for each entry")
    .action(async (data: string, options: AuditOptions) => {
      const { auditCommand } = await import("./reconcile-command.ts");
      done(await auditCommand(data, options, io));
    });
  program
    .command("rebuild")
    .description("build projections anew beside those that are read, and switch to them")
    .argument("[data]", dataText, "heddle-data")
    .addOption(projectionsOption())
    .option("--projection <name>", "only this one")
    .option("--json", "print one JSON object")
    .action(async (data: string, options: RebuildOptions) => {
      const { rebuildCommand } = await import("./reconcile-command.ts");
      done(await rebuildCommand(data, options, io, stop));
    });
  addReadingCommands(program, io, stop, done);
}

/** What there is of projections and sinks. */
function addReadingCommands(program: Command, io: CommandIo, stop: AbortSignal, done: Done): void {
  program
    .command("projections")
    .description("which projections there are, how far they have come, and what they say")
    .argument("[data]", dataText, "heddle-data")
    .addOption(projectionsOption())
    .option("--projection <name>", "print what this one says: partition, key, value")
    .option("--partition <name>", "only this partition of it")
    .option("--key <key>", "only this key of it")
    .option("--limit <n>", "so many rows", count, 100)
    .option("--json", "print one JSON object for each projection, or for each row")
    .action(async (data: string, options: ProjectionsOptions) => {
      const { projectionsCommand } = await import("./projections-command.ts");
      done(await projectionsCommand(data, options, io, stop));
    });
  program
    .command("sinks")
    .description("what is handed to webhooks and their like, and what was given up")
    .argument("[data]", dataText, "heddle-data")
    .addOption(projectionsOption())
    .option("--sink <name>", "only this one")
    .option("--limit <n>", "list so many dead changes of each", count, 20)
    .option("--retry [id...]", "hand over these dead changes now; all without an id")
    .option("--drop [id...]", "take these dead changes off the list; all without an id")
    .option("--json", "print one JSON object for each sink, or for each change")
    .action(async (data: string, options: SinksOptions) => {
      const { sinksCommand } = await import("./sinks-command.ts");
      done(await sinksCommand(data, options, io, stop));
    });
}

/** Of the relay, too. */
export function projectionsOption(): Option {
  return new Option(
    "--projections <file>",
    "JavaScript module that exports `projections`, as defineProjection takes them, and `sinks`",
  );
}

function ratio(text: string): number {
  const number = Number(text);
  if (number > 0 && number < 1) return number;
  throw new InvalidArgumentError("it is no number above 0 and below 1.");
}

function count(text: string): number {
  const number = Number(text);
  if (text !== "" && Number.isSafeInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError("it is no whole number.");
}
