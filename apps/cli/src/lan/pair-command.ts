import {
  joinPairing,
  shortFingerprint,
  startPairing,
  type PairedDevice,
  type PairingParty,
} from "@heddle/lan";
import { nodeEnvironment } from "@heddle/replica/node";
import { renderUnicodeCompact } from "uqr";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { visibleText } from "../visible-text.ts";
import { openDevice } from "./open-device.ts";

export interface PairOptions {
  readonly data: string;
  readonly name?: string;
  readonly minutes: number;
  /** Addresses of this machine for the link, in place of those of its interfaces. */
  readonly host?: string[];
  readonly json?: boolean;
}

/**
 * Pairs this device with another one. A replica that runs on the same folder sees what is written down
 * within a second.
 *
 * @throws HeddleError `HEDDLE_PAIRING_FAILED`; as {@link openDevice}.
 */
export async function pairCommand(
  link: string | undefined,
  options: PairOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const party = await openDevice({ data: options.data, environment, name: options.name });
  const device =
    link === undefined ? await showLink(party, options, io, stop) : await joinPairing(link, party);
  if (options.json) {
    const { fingerprint, name } = device;
    io.out(JSON.stringify({ event: "paired", fingerprint, name }));
  } else {
    io.out(`paired with ${visibleText(device.name)} (${shortFingerprint(device.fingerprint)})`);
  }
  return 0;
}

async function showLink(
  party: PairingParty,
  { minutes, json, host }: PairOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<PairedDevice> {
  const pairing = await startPairing({
    ...party,
    lifeMs: minutes * 60_000,
    ...(host && { hosts: host }),
  });
  const cancel = (): void => pairing.cancel();
  stop.addEventListener("abort", cancel, { once: true });
  if (json) io.out(JSON.stringify({ event: "link", link: pairing.link, minutes }));
  else {
    io.out(renderUnicodeCompact(pairing.link, { border: 2 }));
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
