import { readFileSync } from "node:fs";

import { replaceFile } from "@heddle/replica/node";

import { addressText, parseAddress, type LanAddress } from "./address.ts";
import { isFingerprint, type Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";

const format = "heddle-addresses/1";
const fileBytesMax = 64 * 1024;

/**
 * Where devices were found, the best place first. What was reached is remembered over restarts; what was
 * only announced is not. All of it is hints: losing them costs a search.
 */
export class KnownAddresses {
  readonly #file: string;
  readonly #fixed: readonly LanAddress[];
  readonly #byDevice = new Map<Fingerprint, readonly LanAddress[]>();
  readonly #reached = new Map<Fingerprint, LanAddress>();
  #writing: Promise<void> = Promise.resolve();
  #failures = 0;

  /** @param fixed given by the application: tried for every device, as nobody said whose they are. */
  constructor(file: string, fixed: readonly LanAddress[]) {
    this.#file = file;
    this.#fixed = fixed;
    for (const [device, address] of readReached(file)) {
      this.#reached.set(device, address);
      this.#byDevice.set(device, [address]);
    }
  }

  /** How often they could not be written down. */
  get failures(): number {
    return this.#failures;
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
    this.#write();
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
    return this.#writing;
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

  #write(): void {
    const addresses = Object.fromEntries(
      [...this.#reached].slice(-lanLimits.pairedMax).map(([device, address]) => {
        return [device, addressText(address)];
      }),
    );
    const text = `${JSON.stringify({ format, addresses }, undefined, 2)}\n`;
    this.#writing = this.#writing
      .then(() => replaceFile(this.#file, text))
      .catch(() => {
        // A search finds them again.
        this.#failures++;
      });
  }
}

/** Nothing for a file that is missing or damaged: these are hints. */
function readReached(file: string): readonly (readonly [Fingerprint, LanAddress])[] {
  try {
    const text = readFileSync(file, "utf8");
    if (text.length > fileBytesMax) return [];
    const { format: given, addresses } = JSON.parse(text) as Record<string, unknown>;
    if (given !== format || typeof addresses !== "object" || addresses === null) return [];
    return Object.entries(addresses).flatMap(([device, value]) => {
      const address = typeof value === "string" ? parseAddress(value) : undefined;
      return isFingerprint(device) && address ? [[device, address] as const] : [];
    });
  } catch {
    return []; // Missing, or not JSON: as if nobody had been met.
  }
}

function uniqueOf(addresses: readonly LanAddress[]): readonly LanAddress[] {
  const byText = new Map(addresses.toReversed().map((each) => [addressText(each), each]));
  return [...byText.values()].toReversed();
}
