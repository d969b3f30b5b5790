import { parseStoreId, type Logger, type StoreId } from "@heddle/core";

import { DeviceNotes } from "./device-notes.ts";
import { shortFingerprint, type Fingerprint } from "./device-identity.ts";
import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";

export interface StoreClaimsOptions {
  readonly file: string;
  /** The store of this device. */
  readonly own: StoreId;
  readonly paired: Pick<PairedDevices, "trusted">;
  readonly counters: LanCounters;
  readonly logger: Logger;
}

/** Whose a store is. */
export type StoreHolder = PairedDevice | "this device";

/**
 * Which device each store is of. A greeting names a store, and acknowledgements, cursors and refusals are kept
 * by its id; nothing in it proves that the store belongs to whoever speaks. So the first paired device that
 * names a store has it, for as long as it is trusted, and no other one may speak for it.
 *
 * A device may come with another store: it was repaired, or the key was put beside a new one.
 */
export class StoreClaims {
  readonly #options: StoreClaimsOptions;
  readonly #notes: DeviceNotes<readonly StoreId[]>;
  /** Of each device the newest is the last. */
  readonly #stores: Map<Fingerprint, readonly StoreId[]>;
  /** Who was refused, and whose store it had claimed last, until it comes with one of its own. */
  readonly #refusedOnes = new Map<Fingerprint, StoreHolder>();

  constructor(options: StoreClaimsOptions) {
    this.#options = options;
    const { file, logger } = options;
    const format = "heddle-lan-stores/1";
    this.#notes = new DeviceNotes({ file, format, field: "stores", parse: storesIn, logger });
    this.#stores = new Map(this.#notes.read());
  }

  /** Whether a device may speak for a store. From then on no other one may. */
  admit(device: Fingerprint, store: StoreId): boolean {
    const holder = this.#holderOf(store, device);
    if (holder !== undefined) {
      this.#refused(device, holder);
      return false;
    }
    this.#refusedOnes.delete(device);
    const before = this.#stores.get(device) ?? [];
    if (before.at(-1) === store) return true;
    const others = before.filter((each) => each !== store);
    const kept = [...others, store].slice(-lanLimits.storesPerDeviceMax);
    this.#stores.delete(device);
    this.#stores.set(device, kept);
    this.#forgetStrangers();
    this.#notes.write(this.#stores);
    return true;
  }

  /** Resolves when what was admitted is written down. */
  flush(): Promise<void> {
    return this.#notes.flush();
  }

  /** Whose store a device claims, and is therefore refused. */
  claimOf(device: Fingerprint): StoreHolder | undefined {
    return this.#refusedOnes.get(device);
  }

  #refused(device: Fingerprint, holder: StoreHolder): void {
    const { counters, logger } = this.#options;
    counters.storesRefused++;
    const isNew = !this.#refusedOnes.has(device);
    this.#refusedOnes.set(device, holder);
    if (!isNew) return;
    const of = holder === "this device" ? holder : shortFingerprint(holder.fingerprint);
    logger.warn("lan.store_refused", { device: shortFingerprint(device), of });
  }

  /** Whose store it is, if that is another trusted device than `device`, or this one. */
  #holderOf(store: StoreId, device: Fingerprint): StoreHolder | undefined {
    const { paired, own } = this.#options;
    if (store === own) return "this device";
    for (const [other, stores] of this.#stores) {
      const isHeld = other !== device && stores.includes(store);
      const holder = isHeld ? paired.trusted(other) : undefined;
      if (holder) return holder;
    }
    return undefined;
  }

  /** Whoever is trusted no more has no claim, so another device can come with its disk. */
  #forgetStrangers(): void {
    const { paired } = this.#options;
    for (const notes of [this.#stores, this.#refusedOnes]) {
      for (const device of notes.keys()) {
        if (paired.trusted(device) === undefined) notes.delete(device);
      }
    }
  }
}

function storesIn(value: unknown): readonly StoreId[] | undefined {
  if (!Array.isArray(value) || value.length > lanLimits.storesPerDeviceMax) return undefined;
  const stores = value.map((each) => (typeof each === "string" ? parseStoreId(each) : undefined));
  const known = stores.filter((each) => each !== undefined);
  return known.length === value.length ? known : undefined;
}
