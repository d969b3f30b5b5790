import {
  joinPairing,
  parsePairingLink,
  shortFingerprint,
  startPairing,
  type PairedDevice,
  type PairingParty,
  type StartPairingOptions,
} from "@heddle/lan";
import { nodeEnvironment, readSpaceFile } from "@heddle/replica/node";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { visibleText } from "../visible-text.ts";
import { linkCode } from "./link-code.ts";
import { openDevice } from "./open-device.ts";
import { prepareSpace } from "./prepare-space.ts";

export interface PairOptions {
  readonly data: string;
  readonly name?: string;
  readonly minutes: number;
  /** Addresses of this machine for the link, in place of those of its interfaces. */
  readonly host?: string[];
  /** What the other device is granted, in a space; default: write. */
  readonly role?: StartPairingOptions["role"];
  readonly json?: boolean;
}

/**
 * Pairs this device with another one. A replica that runs on the same folder sees what is written down
 * within a second, grants the role that stands there, and otherwise does so at its next start.
 *
 * @throws HeddleError `HEDDLE_PAIRING_FAILED`; as {@link openDevice} and {@link prepareSpace}.
 */
export async function pairCommand(
  link: string | undefined,
  options: PairOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  // A slip of the hand makes no folder.
  if (link !== undefined) parsePairingLink(link);
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const { data, name } = options;
  const genesis = await readSpaceFile(data);
  const party: PairingParty = {
    ...(await openDevice({ data, environment, name })),
    genesis,
    prepareSpace: (shown) => prepareSpace(data, shown, environment),
  };
  const device =
    link === undefined ? await showLink(party, options, io, stop) : await joinPairing(link, party);
  if (options.json) {
    const { fingerprint, name: shown, key, wanted } = device;
    io.out(JSON.stringify({ event: "paired", fingerprint, name: shown, key, role: wanted }));
  } else {
    io.out(`paired with ${visibleText(device.name)} (${shortFingerprint(device.fingerprint)})`);
    if (device.wanted) {
      const { wanted } = device;
      io.out(`${wanted} is granted by the replica of this folder, when this device is an admin`);
    }
  }
  return 0;
}

async function showLink(
  party: PairingParty,
  { minutes, json, host, role = party.genesis && "write" }: PairOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<PairedDevice> {
  const pairing = await startPairing({
    ...party,
    role,
    lifeMs: minutes * 60_000,
    ...(host && { hosts: host }),
  });
  const cancel = (): void => pairing.cancel();
  stop.addEventListener("abort", cancel, { once: true });
  if (json) io.out(JSON.stringify({ event: "link", link: pairing.link, minutes }));
  else {
    showCode(pairing.link, io);
    io.out(`on the other device:  heddle pair "${pairing.link}"`);
    io.out(`good once, for ${minutes} minutes; whoever has it may be paired`);
  }
  // The wait itself keeps no process alive.
  const alive = setInterval(() => undefined, 60_000);
  try {
    return await pairing.done;
  } finally {
    clearInterval(alive);
    stop.removeEventListener("abort", cancel);
  }
}

/** For eyes and cameras: where a person watches it is no part of what the command puts out. */
function showCode(link: string, io: CommandIo): void {
  const code = linkCode(link, io.isTTY ? io : {});
  if (code === undefined) io.err("the terminal is too narrow for a code that cameras can read");
  else if (io.isTTY) io.err(code);
  else io.out(code);
}
