import { InvalidArgumentError, Option, type Command } from "commander";

import type { CommandIo } from "./command-io.ts";
import { diskLowDefault, port, size } from "./flag-values.ts";
import type { DoctorOptions } from "./lan/doctor-command.ts";
import type { PairOptions } from "./lan/pair-command.ts";
import type { PeerOptions } from "./lan/peer-command.ts";
import type { PeersOptions } from "./lan/peers-command.ts";
import type { MembersOptions } from "./members-command.ts";

const roles = ["relay", "read", "write", "admin"];

type Done = (status: number) => void;

const deviceName = [
  "--name <name>",
  "what this device calls itself, from now on; until then its host name",
] as const;
const dataFolder = ["--data <folder>", "data folder of this device", "heddle-data"] as const;

function addMembers(program: Command, io: CommandIo, done: Done): void {
  program
    .command("members")
    .description(
      "list, grant and remove members of the space of a data folder; nothing may run on it",
    )
    .option(...dataFolder)
    .option(
      "--create",
      "make a space, whose admin this device is; the folder must have no documents",
    )
    .option("--join <genesis>", "take part in the space that another device shows")
    .option("--grant <device>", "by its key, as heddle members shows it there")
    .addOption(new Option("--role <role>", "what to grant").choices(roles).default("write"))
    .option("--revoke <device>", "by its key; for good: a key that was removed does not come back")
    .option("--label <name>", "of the space that is made, or the device that is granted")
    .option("--json", "print one JSON object")
    .action(async (options: MembersOptions) => {
      const { membersCommand } = await import("./members-command.ts");
      done(await membersCommand(options, io));
    });
}

/** Commands for devices on one local network. Each is loaded when it runs. */
export function addLanCommands(
  program: Command,
  io: CommandIo,
  stop: AbortSignal,
  done: Done,
): void {
  program
    .command("peer")
    .description("keep a copy of everything that paired devices on this network have")
    .option(...dataFolder)
    .option(...deviceName)
    .option("--port <n>", "port to listen on; 0 takes a free one", port, 0)
    .option("--address <host:port...>", "where paired devices are, if nobody can be discovered")
    .option("--no-discovery", "neither announce this device nor look for others")
    .option(
      "--pages <port>",
      "let browser pages of this machine in on that port; 0 takes a free one",
      port,
    )
    .option("--allow-origin <origin...>", "pages that may come in; needed with --pages")
    .addOption(pageTokenOption())
    .option(
      "--disk-low <size>",
      "accept nothing new below this much free disk; 0 for never",
      size,
      diskLowDefault,
    )
    .option("--json", "print one JSON object a line, when something changes")
    .action(async (options: PeerOptions) => {
      const { peerCommand } = await import("./lan/peer-command.ts");
      done(await peerCommand(options, io, stop));
    });
  addMembers(program, io, done);
  program
    .command("pair")
    .description(
      "show a link for another device, or use the one that it shows; peers may be running",
    )
    .argument("[link]", "as the other device shows it")
    .option(...dataFolder)
    .option(...deviceName)
    .option(
      "--host <address...>",
      "of this machine, for the link; those of its interfaces otherwise",
    )
    .addOption(
      new Option("--role <role>", "what an admin of a space grants; write otherwise").choices(
        roles,
      ),
    )
    .option("--minutes <n>", "how long the link is good, at most 10", minutes, 10)
    .option("--json", "print one JSON object a line")
    .action(async (link: string | undefined, options: PairOptions) => {
      const { pairCommand } = await import("./lan/pair-command.ts");
      done(await pairCommand(link, options, io, stop));
    });
  addDoctor(program, io, done);
  addPeers(program, io, done);
}

function addDoctor(program: Command, io: CommandIo, done: Done): void {
  program
    .command("doctor")
    .description("say why paired devices on this network do not find each other")
    .option(...dataFolder)
    .option("--address <host:port...>", "where paired devices should be")
    .option("--port <n>", "of heddle peer --port: whether it is to be had", port)
    .option("--pages <port>", "of heddle peer --pages: whether pages can come in", port)
    .option("--allow-origin <origin...>", "of pages: what their browser has against it")
    .option("--json", "print one JSON object")
    .action(async (options: DoctorOptions) => {
      const { doctorCommand } = await import("./lan/doctor-command.ts");
      done(await doctorCommand(options, io));
    });
}

function addPeers(program: Command, io: CommandIo, done: Done): void {
  program
    .command("peers")
    .description("list the devices that this one is paired with, or revoke one")
    .option(...dataFolder)
    .option("--revoke <fingerprint>", "trust it no more: 8 digits or more of its fingerprint")
    .option("--json", "print one JSON object")
    .action(async (options: PeersOptions) => {
      const { peersCommand } = await import("./lan/peers-command.ts");
      done(await peersCommand(options, io));
    });
}

/** What is on the command line, everybody on the machine can read in the process list. */
function pageTokenOption(): Option {
  return new Option(
    "--page-token <secret>",
    "pages must send ?token=<secret>; one that is kept in the data folder unless it is given",
  ).env("HEDDLE_PAGE_TOKEN");
}

function minutes(text: string): number {
  const number = Number(text);
  if (number > 0 && number <= 10) return number;
  throw new InvalidArgumentError("it is not a number of minutes up to 10.");
}
