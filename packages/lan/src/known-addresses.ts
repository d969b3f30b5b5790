import type { Logger } from "@heddle/core";

import { addressText, parseAddress, type LanAddress } from "./address.ts";
import type { Fingerprint } from "./device-identity.ts";
import { DeviceNotes } from "./device-notes.ts";
import { lanLimits } from "./lan-limits.ts";

/**
 * Where devices were found, the best place first. What was reached is remembered over restarts; what was
 * only announced is not. All of it is hints: losing them costs a search.
 */
export class KnownAddresses {
  readonly #notes: DeviceNotes<LanAddress>;
  readonly #fixed: readonly LanAddress[];
  readonly #byDevice = new Map<Fingerprint, readonly LanAddress[]>();
  readonly #reached = new Map<Fingerprint, LanAddress>();

  /** @param fixed given by the application: tried for every device, as nobody said whose they are. */
  constructor(file: string, fixed: readonly LanAddress[], logger: Pick<Logger, "warn">) {
    const format = "heddle-addresses/1";
    this.#notes = new DeviceNotes({ file, format, field: "addresses", parse: addressIn, logger });
    this.#fixed = fixed;
    for (const [device, address] of this.#notes.read()) {
      this.#reached.set(device, address);
      this.#byDevice.set(device, [address]);
    }
  }

  of(device: Fingerprint): readonly LanAddress[] {
    const own = this.#byDevice.get(device) ?? [];
    const others = new Set(this.#ownedByOthers(device));
    const fixed = this.#fixed.filter((address) => !others.has(addressText(address)));
    return uniqueOf([...own, ...fixed]);
  }

  /** It was announced there: worth trying first. True when that is news. */
  sighted(device: Fingerprint, address: LanAddress): boolean {
    const [first] = this.#byDevice.get(device) ?? [];
    this.#put(device, address);
    return first === undefined || addressText(first) !== addressText(address);
  }

  /** It was there, and has proven it. */
  reached(device: Fingerprint, address: LanAddress): void {
    this.#put(device, address);
    const before = this.#reached.get(device);
    if (before && addressText(before) === addressText(address)) return;
    this.#reached.set(device, address);
    // A search finds again what is not kept.
    this.#notes.write([...this.#reached].map(([other, at]) => [other, addressText(at)]));
  }

  /** Somebody said goodbye in its name: tried last from now on, and tried. */
  doubted(device: Fingerprint, address: LanAddress): void {
    const own = this.#byDevice.get(device) ?? [];
    const text = addressText(address);
    const [doubted, rest] = [
      own.filter((each) => addressText(each) === text),
      own.filter((each) => addressText(each) !== text),
    ];
    this.#byDevice.set(device, [...rest, ...doubted]);
  }

  /** Another device is there. */
  wrong(device: Fingerprint, address: LanAddress): void {
    const own = this.#byDevice.get(device) ?? [];
    this.#byDevice.set(
      device,
      own.filter((each) => addressText(each) !== addressText(address)),
    );
  }

  /** Resolves when what is remembered is written down. */
  flush(): Promise<void> {
    return this.#notes.flush();
  }

  #put(device: Fingerprint, address: LanAddress): void {
    const own = this.#byDevice.get(device) ?? [];
    const all = uniqueOf([address, ...own]).slice(0, lanLimits.addressesPerDeviceMax);
    this.#byDevice.set(device, all);
  }

  #ownedByOthers(device: Fingerprint): readonly string[] {
    const others = [...this.#reached].filter(([other]) => other !== device);
    return others.map(([, address]) => addressText(address));
  }
}

function addressIn(value: unknown): LanAddress | undefined {
  return typeof value === "string" ? parseAddress(value) : undefined;
}

function uniqueOf(addresses: readonly LanAddress[]): readonly LanAddress[] {
  const byText = new Map(addresses.toReversed().map((each) => [addressText(each), each]));
  return [...byText.values()].toReversed();
}
