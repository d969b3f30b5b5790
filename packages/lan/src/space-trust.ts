import {
  isHeddleError,
  MemberRole,
  type DeviceKey,
  type Environment,
  type HeddleErrorCode,
  type Member,
  type Membership,
} from "@heddle/core";
import type { SpaceGround } from "@heddle/replica";

import { fingerprintOfRaw, type Fingerprint } from "./device-identity.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";

export interface SpaceTrustOptions {
  readonly space: SpaceGround;
  readonly paired: PairedDevices;
  readonly environment: Pick<Environment, "clock" | "logger">;
}

/**
 * Keeps the list of paired devices and the records of the space in step, both ways. What is wanted for a
 * device stands in its file, whoever wrote it and whenever; it is compared with the records, and where this
 * device is an admin, the record that is missing is made:
 *
 *   file: wanted write ──► record: grant         record: removed ──► file: revokedMs
 *   file: wanted removed ─► record: removal
 *
 * Nothing is ticked off, so it does not matter how often it is looked at, or what a crash left undone.
 */
export class SpaceTrust {
  readonly #options: SpaceTrustOptions;
  readonly #onRevoked: () => void;
  readonly #stopListening: () => void;
  #turn: Promise<void> | undefined;
  #isDue = false;
  #isStopped = false;
  /** Of the last look; each is said once, until it is gone. */
  #failures: ReadonlySet<HeddleErrorCode> = new Set();
  /** Keys of members by their fingerprints, and of which records. */
  #keys:
    | { readonly of: Membership; readonly keys: ReadonlyMap<Fingerprint, DeviceKey> }
    | undefined;

  /** @param onRevoked the list says of another device that it is trusted no more. */
  constructor(options: SpaceTrustOptions, onRevoked: () => void) {
    this.#options = options;
    this.#onRevoked = onRevoked;
    this.#stopListening = options.space.members.onChange(() => this.review());
  }

  /** The list or the records may have changed. */
  review(): void {
    this.#isDue = true;
    if (this.#isStopped || this.#turn) return;
    this.#turn = this.#run().finally(() => (this.#turn = undefined));
  }

  /** Resolves when the last record is on disk. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening();
    await this.#turn;
  }

  async #run(): Promise<void> {
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false;
      const failures = new Set<HeddleErrorCode>();
      for (const device of this.#options.paired.all) {
        const code = await this.#try(device);
        if (code === undefined || failures.has(code)) continue;
        failures.add(code);
        if (this.#failures.has(code)) continue;
        this.#options.environment.logger.warn("lan.space_failed", { code });
      }
      this.#failures = failures;
    }
  }

  /** With which code it failed, if it did: it is looked at again every second, and the others do not wait for it. */
  async #try(device: PairedDevice): Promise<HeddleErrorCode | undefined> {
    try {
      await this.#settle(device);
      return undefined;
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      return error.code;
    }
  }

  async #settle(device: PairedDevice): Promise<void> {
    const { space, paired, environment } = this.#options;
    const { fingerprint, name, wanted, revokedMs } = device;
    const { members, acts } = space;
    // A file of an older heddle has no key: what records say of a device is found by its fingerprint.
    const key = device.key ?? this.#keyOf(fingerprint, members.membership);
    if (key === undefined) return; // No record names it, and nothing was asked for it.
    const member = members.membership.members.get(key);
    if (isRemoved(member)) {
      if (revokedMs !== undefined) return;
      await paired.revoke(fingerprint, environment.clock.nowMs());
      return this.#onRevoked();
    }
    if (wanted === undefined || members.role !== MemberRole.admin) return;
    if (wanted === "removed") {
      if (member?.role !== undefined) await acts.revoke(key);
    } else if (revokedMs === undefined && !members.membership.may(key, MemberRole[wanted])) {
      await acts.grant(key, MemberRole[wanted], name);
    }
  }

  #keyOf(fingerprint: Fingerprint, membership: Membership): DeviceKey | undefined {
    if (this.#keys?.of !== membership) {
      const keys = [...membership.members.keys()].map((key) => {
        return [fingerprintOfRaw(Buffer.from(key, "hex")), key] as const;
      });
      this.#keys = { of: membership, keys: new Map(keys) };
    }
    return this.#keys.keys.get(fingerprint);
  }
}

function isRemoved(member: Member | undefined): boolean {
  return member !== undefined && member.revokedBy.length > 0;
}
