import type { Command } from "commander";

import type { CommandIo } from "./command-io.ts";

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
}
