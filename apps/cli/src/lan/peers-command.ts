import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { lanFolders, PairedDevices, shortFingerprint, type PairedDevice } from "@heddle/lan";

import { readSpaceFile } from "@heddle/replica/node";

import type { CommandIo } from "../command-io.ts";
import { visibleText } from "../visible-text.ts";
import { textTable } from "./text-table.ts";

export interface PeersOptions {
  readonly data: string;
  readonly revoke?: string;
  readonly json?: boolean;
}

/** Exit status 1 when a file of the list cannot be read: its device is trusted by nobody. */
export async function peersCommand(
  { data, revoke, json }: PeersOptions,
  io: CommandIo,
): Promise<number> {
  const paired = new PairedDevices(lanFolders(data).paired);
  if (revoke !== undefined) {
    const device = deviceOf(paired, revoke);
    // The replica of the folder makes the record, when this device is an admin of its space.
    const wanted = (await readSpaceFile(data)) ? "removed" : undefined;
    await paired.revoke(device.fingerprint, Date.now(), wanted);
  }
  const { all, unreadable } = paired;
  if (json) io.out(JSON.stringify({ devices: all.map(shownDevice), unreadable }));
  else {
    if (all.length === 0) io.out("paired with nobody; heddle pair begins");
    else io.out(textTable(["device", "fingerprint", "paired", "trusted"], all.map(rowOf)));
    for (const name of unreadable) io.err(`cannot be read, and is trusted by nobody: ${name}`);
  }
  return unreadable.length > 0 ? 1 : 0;
}

/** Without the key that is for the two devices alone. */
function shownDevice({ fingerprint, name, pairedMs, revokedMs, key, wanted }: PairedDevice) {
  return { fingerprint, name, pairedMs, revokedMs, key, wanted };
}

function rowOf({ fingerprint, name, pairedMs, revokedMs }: PairedDevice): readonly string[] {
  const trusted = revokedMs === undefined ? "yes" : `no, since ${dayOf(revokedMs)}`;
  return [visibleText(name), shortFingerprint(fingerprint), dayOf(pairedMs), trusted];
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

function deviceOf(paired: PairedDevices, given: string): PairedDevice {
  const digits = given.replaceAll("-", "").toLowerCase();
  const found = paired.all.filter(({ fingerprint }) => fingerprint.startsWith(digits));
  if (digits.length >= 8 && found.length === 1) return found[0]!;
  const message = `${given} is the fingerprint of no device here, or of several`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
