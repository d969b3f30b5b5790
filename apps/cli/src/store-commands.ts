import type { Command } from "commander";

import type { CommandIo } from "./command-io.ts";
import type { RepairOptions } from "./repair-command.ts";

type Done = (status: number) => void;

/** Commands for the data folder of a relay. Each is loaded when it runs. */
export function addStoreCommands(program: Command, io: CommandIo, done: Done): void {
  program
    .command("verify")
    .description("read and prove everything in a data folder; writes nothing")
    .argument("<data>", "data folder of a relay, which may be running")
    .option("--json", "print one JSON object")
    .action(async (data: string, options: { json?: boolean }) => {
      const { verifyCommand } = await import("./verify-command.ts");
      done(await verifyCommand(data, options, io));
    });
  program
    .command("repair")
    .description("save what is whole of a damaged data folder into a new one")
    .argument("<data>", "data folder of a relay that is stopped")
    .option("--to <folder>", "the new data folder; <data>-repaired unless said otherwise")
    .option("--replace", "put the new one in its place, the damaged files into <data>/quarantine")
    .option("--json", "print one JSON object")
    .action(async (data: string, options: RepairOptions) => {
      const { repairCommand } = await import("./repair-command.ts");
      done(await repairCommand(data, options, io));
    });
  addCopies(program, io, done);
}

function addCopies(program: Command, io: CommandIo, done: Done): void {
  program
    .command("backup")
    .description("copy a data folder and read the copy back; the relay may be running")
    .argument("<data>", "data folder of a relay")
    .argument("<target>", "folder to make")
    .option("--json", "print one JSON object")
    .action(async (data: string, target: string, options: { json?: boolean }) => {
      const { backupCommand } = await import("./backup-command.ts");
      done(await backupCommand(data, target, options, io));
    });
  program
    .command("restore")
    .description("make a data folder of a backup; it opens as rolled back")
    .argument("<backup>", "folder that heddle backup made")
    .argument("<data>", "data folder to make")
    .option("--json", "print one JSON object")
    .action(async (backup: string, data: string, options: { json?: boolean }) => {
      const { restoreCommand } = await import("./backup-command.ts");
      done(await restoreCommand(backup, data, options, io));
    });
  program
    .command("compact")
    .description("give back the room of what was replaced; the relay must be stopped")
    .argument("<data>", "data folder of a relay")
    .option("--json", "print one JSON object")
    .action(async (data: string, options: { json?: boolean }) => {
      const { compactCommand } = await import("./compact-command.ts");
      done(await compactCommand(data, options, io));
    });
}
