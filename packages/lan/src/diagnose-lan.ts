import { randomBytes } from "node:crypto";

import type { Clock, Scheduler } from "@heddle/core";
import { subprotocol, type Discovery, type RunningDiscovery, type Sighting } from "@heddle/sync";

import { addressText, type LanAddress } from "./address.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import type { KnownAddresses } from "./known-addresses.ts";
import { diagnosePort } from "./diagnose-port.ts";
import { knockAt, type KnockAnswer, type Knocked } from "./knock-at.ts";
import type { LanFinding, LanTrouble } from "./lan-finding.ts";
import { lanLimits } from "./lan-limits.ts";
import { nameOf } from "./lan-peers.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";
import { announcedBy } from "./announcement-tags.ts";

export interface DiagnoseOptions {
  readonly identity: DeviceIdentity;
  readonly paired: PairedDevices;
  readonly addresses: KnownAddresses;
  /** Made anew for each look: one speaks, one listens. */
  readonly newDiscovery: () => Discovery;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Addresses of this machine that neighbours can use. */
  readonly hosts: readonly string[];
  /** That others are to reach this device at; undefined where any free one will do. */
  readonly port?: number | undefined;
  /** How long announcements are waited for. */
  readonly listenMs?: number;
  /** How long an address may say nothing. */
  readonly knockMsMax?: number;
}

const defaultListenMs = 3_000;
const dayMs = 24 * 60 * 60_000;
/** Readings of a clock that is further ahead are not followed (docs/protocol.md). */
const clockApartMsMax = 5 * 60_000;

/** Looks at everything that keeps paired devices from finding each other, in the order in which it matters. */
export async function diagnoseLan(options: DiagnoseOptions): Promise<readonly LanFinding[]> {
  const { hosts, paired, port } = options;
  const interfaces: LanFinding =
    hosts.length > 0
      ? { check: "interfaces", isFine: true, what: `neighbours reach ${hosts.join(", ")}` }
      : {
          check: "interfaces",
          isFine: false,
          cause: "no-address",
          what: "no interface has an IPv4 address that neighbours can use",
          advice: "connect this machine to the network",
        };
  const heard = withoutOwn(await listen(options), options);
  const devices = await Promise.all(
    paired.allTrusted.map((device) => findingOf(options, device, heard.sightings)),
  );
  const ports = port === undefined ? [] : [await diagnosePort(port, options)];
  return [
    interfaces,
    ...ports,
    multicastOf(heard),
    versionsOf(heard),
    pairedOf(paired),
    clockOf(options),
    ...devices,
  ];
}

interface Heard {
  readonly isOwnHeard: boolean;
  readonly sightings: readonly Sighting[];
  /** The code of the system, or what it says. */
  readonly trouble: string | undefined;
}

/** One end announces and the other one listens, on this machine: what neither firewall nor route may keep apart. */
async function listen(options: DiagnoseOptions): Promise<Heard> {
  const { newDiscovery, scheduler, listenMs = defaultListenMs } = options;
  const sightings: Sighting[] = [];
  const running: RunningDiscovery[] = [];
  const own = randomBytes(8).toString("hex");
  let trouble: string | undefined;
  let wake: (() => void) | undefined;
  const done = new Promise<void>((resolve) => (wake = resolve));
  const cancel = scheduler.after(listenMs, () => wake?.());
  const handlers = (isListening: boolean) => ({
    onSeen: (sighting: Sighting) => isListening && sightings.push(sighting),
    onGone: () => undefined,
    onTrouble: ({ cause, message }: { readonly cause?: unknown; readonly message: string }) => {
      trouble = (cause as { readonly code?: string } | undefined)?.code ?? message;
      wake?.();
    },
  });
  const port = 9;
  const other = randomBytes(8).toString("hex");
  running.push(newDiscovery().start({ instance: other, port, text: {} }, handlers(true)));
  running.push(newDiscovery().start({ instance: own, port, text: {} }, handlers(false)));
  // All of the time is for the answers of others.
  await done;
  cancel();
  await Promise.all(running.map((each) => each.stop()));
  const isOwnHeard = sightings.some(({ instance }) => instance === own);
  const others = sightings.filter(({ instance }) => instance !== own && instance !== other);
  return { isOwnHeard, sightings: others, trouble };
}

/** A replica that runs on the folder announces itself, too. */
function withoutOwn(heard: Heard, { identity, paired }: DiagnoseOptions): Heard {
  const { fingerprint } = identity;
  const asOthersSeeIt = paired.allTrusted.map((device) => ({ ...device, fingerprint }));
  const sightings = heard.sightings.filter(({ text }) => !announcedBy(text, asOthersSeeIt));
  return { ...heard, sightings };
}

function multicastOf({ isOwnHeard, trouble }: Heard): LanFinding {
  const check = "multicast";
  if (trouble !== undefined) return { check, isFine: false, ...causeOf(trouble) };
  if (isOwnHeard) return { check, isFine: true, what: "announcements leave and arrive here" };
  return {
    check,
    isFine: false,
    cause: "multicast-swallowed",
    what: "an announcement of this machine does not come back to it",
    advice: "let UDP port 5353 and 224.0.0.251 through the firewall",
  };
}

function causeOf(code: string): LanTrouble {
  switch (code) {
    case "EADDRINUSE":
      return {
        cause: "multicast-port-taken",
        what: "UDP port 5353 is taken by a program that does not share it",
        advice: "stop that program, or name the addresses of devices with --address",
      };
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "EADDRNOTAVAIL":
    case "ENODEV":
      return {
        cause: "no-multicast-route",
        what: `there is no route for multicast (${code})`,
        advice: "ip route add 224.0.0.0/4 dev <interface>, or --address",
      };
    case "EPERM":
    case "EACCES":
      return {
        cause: "not-permitted",
        what: `the system does not allow announcements (${code})`,
        advice: "let UDP port 5353 out of the firewall or the sandbox",
      };
    default:
      return {
        cause: "discovery-failed",
        what: `discovery fails (${code})`,
        advice: "name addresses with --address",
      };
  }
}

/** Announcements of a version that is not ours: nobody here can read whose they are. */
function versionsOf({ sightings }: Heard): LanFinding {
  const foreign = sightings.filter(({ text }) => text["v"] !== undefined && text["v"] !== "1");
  const check = "versions";
  if (foreign.length === 0) {
    return {
      check,
      isFine: true,
      what: `other heddle devices that announce themselves: ${sightings.length}`,
    };
  }
  const where = foreign.map(({ host }) => host).join(", ");
  return {
    check,
    isFine: false,
    cause: "other-version",
    what: `devices at ${where} announce themselves in another version`,
    advice: "bring all devices to one release of heddle",
  };
}

function pairedOf({ allTrusted, unreadable }: PairedDevices): LanFinding {
  const check = "paired";
  if (unreadable.length > 0) {
    const what = `records of paired devices that cannot be read: ${unreadable.length}`;
    const advice = "pair these devices again";
    return { check, isFine: false, cause: "records-unreadable", what, advice };
  }
  if (allTrusted.length > 0) {
    return { check, isFine: true, what: `paired devices: ${allTrusted.length}` };
  }
  const advice = "heddle pair, here or there";
  return { check, isFine: false, cause: "not-paired", what: "paired with nobody", advice };
}

/** Nothing depends on it but what people are shown: said, so that nobody looks for the cause there. */
function clockOf({ paired, clock }: DiagnoseOptions): LanFinding {
  const nowMs = clock.nowMs();
  const isBehind = paired.all.some(({ pairedMs }) => pairedMs > nowMs + dayMs);
  if (!isBehind)
    return { check: "clock", isFine: true, what: "the clock is later than every pairing" };
  const what = "the clock is more than a day behind a pairing of this device";
  const advice = "set the clock: times are shown wrong";
  return { check: "clock", isFine: false, cause: "clock-behind", what, advice };
}

async function findingOf(
  { identity, paired, addresses, scheduler, clock, knockMsMax }: DiagnoseOptions,
  device: PairedDevice,
  sightings: readonly Sighting[],
): Promise<LanFinding> {
  const check = "device";
  const seen = sightings.filter(({ text }) => announcedBy(text, [device]) !== undefined);
  const places = placesOf([...seen, ...addresses.of(device.fingerprint)]);
  const name = nameOf(device);
  if (places.length === 0) {
    const what = `${name} is not announced, and no address of it is known`;
    const advice =
      "is it switched on, in this network, and not in a guest network that keeps guests apart?";
    return { check, isFine: false, cause: "not-found", what, advice };
  }
  const { fingerprint: expected } = device;
  const knock = { identity, scheduler, knockMsMax, expected };
  const all = await Promise.all(
    places.map(async (address) => ({
      place: addressText(address),
      knocked: await knockAt(address, knock),
    })),
  );
  // Anybody can announce a place in its name: the one where it is says more than all others.
  const isThere = ({ knocked }: (typeof all)[number]): boolean =>
    knocked.found === "mistrust" ||
    (knocked.found === "device" && knocked.fingerprint === expected);
  const { place, knocked } = all.find(isThere) ?? all[0]!;
  if (knocked.found === "device" && knocked.fingerprint === device.fingerprint) {
    const trouble = troubleIn(name, knocked.answer, clock.nowMs());
    if (trouble) return { check, isFine: false, ...trouble };
    return { check, isFine: true, what: `${name} answers at ${place}` };
  }
  const other = knocked.found === "device" ? paired.trusted(knocked.fingerprint) : undefined;
  return { check, isFine: false, ...refusalOf(name, place, knocked, other) };
}

/** Each once; no more than a dial would try, and those that are announced now. */
function placesOf(addresses: readonly LanAddress[]): readonly LanAddress[] {
  const byText = new Map(addresses.map((each) => [addressText(each), each]));
  return [...byText.values()].slice(0, 2 * lanLimits.addressesPerDeviceMax);
}

function refusalOf(
  name: string,
  place: string,
  knocked: Knocked,
  other: PairedDevice | undefined,
): LanTrouble {
  switch (knocked.found) {
    case "silence":
      return {
        cause: "unreachable",
        what: `${name}: ${place} does not answer at all`,
        advice: "look at the firewall there, and whether the network keeps its guests apart",
      };
    case "nobody":
      return {
        cause: "not-running",
        what: `${name}: nobody listens at ${place}`,
        advice: "start heddle there",
      };
    case "mistrust":
      return {
        cause: "not-trusted-there",
        what: `${name} answers at ${place}, and does not know this device any more`,
        advice: "pair the two again",
      };
    case "device":
      return {
        cause: "other-device",
        what: `${name}: at ${place} is ${other ? nameOf(other) : "a device that is not paired"}`,
        advice: "it will be found where it announces itself; if it has a new key, pair it again",
      };
    default:
      return {
        cause: "not-heddle",
        what: `${name}: something else than heddle listens at ${place}`,
        advice: "look for its new address",
      };
  }
}

/** It answers, and something keeps the two apart all the same. */
function troubleIn(
  name: string,
  answer: KnockAnswer | undefined,
  nowMs: number,
): LanTrouble | undefined {
  const { speaks, wallMs } = answer ?? {};
  if (speaks !== undefined && !speaks.includes(subprotocol)) {
    return {
      cause: "other-version",
      what: `${name} speaks ${visible(speaks.join(", "))}, and this device ${subprotocol}`,
      advice: "bring all devices to one release of heddle",
    };
  }
  const apartMs = wallMs === undefined ? 0 : wallMs - nowMs;
  if (Math.abs(apartMs) <= clockApartMsMax) return undefined;
  const minutes = Math.round(Math.abs(apartMs) / 60_000);
  return {
    cause: "clocks-apart",
    what: `the clock of ${name} is ${minutes} minutes ${apartMs > 0 ? "ahead of" : "behind"} this one`,
    advice: "set the clocks: everything is exchanged all the same, and shown with wrong times",
  };
}

/** What somebody else says is for people to read, and short. */
function visible(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
