import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import {
  bonjourDiscovery,
  diagnoseLan,
  hostsOf,
  identityOf,
  KnownAddresses,
  lanFolders,
  newLanCounters,
  PairedDevices,
  parseAddress,
  type LanAddress,
} from "@heddle/lan";
import { deviceKeyFileIn, nodeEnvironment } from "@heddle/replica/node";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { visibleText } from "../visible-text.ts";
import { diagnosePages } from "./diagnose-pages.ts";
import { openDevice } from "./open-device.ts";

export interface DoctorOptions {
  readonly data: string;
  readonly address?: string[];
  /** That others are to reach this device at. */
  readonly port?: number;
  /** Where `heddle peer` lets pages in, and which. */
  readonly pages?: number;
  readonly allowOrigin?: string[];
  readonly json?: boolean;
}

/** Why paired devices do not find each other. Exit status 1 when something keeps them apart. */
export async function doctorCommand(
  { data, address = [], port, pages, allowOrigin = [], json }: DoctorOptions,
  io: CommandIo,
): Promise<number> {
  const environment = nodeEnvironment(openLogger(io, { level: "error" }));
  const directory = path.resolve(data);
  const { identity, paired } = await deviceOf(data, environment);
  const { clock, scheduler } = environment;
  const alive = setInterval(() => undefined, 60_000);
  try {
    const ofPages = pages === undefined ? [] : await diagnosePages(pages, allowOrigin);
    const ofLan = await diagnoseLan({
      identity,
      paired,
      addresses: new KnownAddresses(
        lanFolders(directory).addresses,
        address.map(addressOf),
        environment.logger,
      ),
      newDiscovery: () => bonjourDiscovery({ clock, counters: newLanCounters() }),
      clock,
      scheduler,
      hosts: hostsOf(),
      port,
    });
    const findings = [...ofLan, ...ofPages];
    if (json) io.out(JSON.stringify({ findings }));
    else {
      for (const { isFine, what, advice } of findings) {
        io.out(`${isFine ? "ok  " : "no  "}${visibleText(what)}`);
        if (advice !== undefined) io.out(`      ${visibleText(advice)}`);
      }
    }
    return findings.every(({ isFine }) => isFine) ? 0 : 1;
  } finally {
    clearInterval(alive);
  }
}

/** That of the folder; without one, one of the moment: looking for a cause makes no folder. */
async function deviceOf(data: string, environment: Environment) {
  if (existsSync(deviceKeyFileIn(data))) return openDevice({ data, environment });
  const identity = identityOf(generateKeyPairSync("ed25519").privateKey);
  return { identity, paired: new PairedDevices(lanFolders(data).paired) };
}

function addressOf(text: string): LanAddress {
  const address = parseAddress(text);
  if (address) return address;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `${text} is no address, as in 10.0.0.5:4711`,
  );
}
