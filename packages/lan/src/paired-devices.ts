import { readdirSync, readFileSync, statSync } from "node:fs";
import { access, constants, mkdir, rm } from "node:fs/promises";
import path from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { replaceFile } from "@heddle/replica/node";

import type { Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";
import { pairingFailed } from "./pairing-failed.ts";
import { parsePairedDevice, writePairedDevice, type PairedDevice } from "./paired-device.ts";

const extension = ".json";

/**
 * Who is trusted: one small file for each device, so that two programs (`heddle pair` beside a running
 * replica) never write the same one. A file that cannot be read is nobody's: trust fails closed.
 *
 * Reading is synchronous: a handshake asks, and the answer has to be that of this moment.
 */
export class PairedDevices {
  readonly #folder: string;
  #seen = "";
  #devices: ReadonlyMap<Fingerprint, PairedDevice> = new Map();
  #unreadable: readonly string[] = [];

  /** @param folder need not be there. */
  constructor(folder: string) {
    this.#folder = folder;
    this.refresh();
  }

  /** Revoked ones too. */
  get all(): readonly PairedDevice[] {
    return [...this.#devices.values()];
  }

  /** Names of files that say nothing that can be read, or more than there may be. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** Undefined for a stranger and for a device that was revoked. */
  trusted(fingerprint: Fingerprint | undefined): PairedDevice | undefined {
    const device = fingerprint === undefined ? undefined : this.#devices.get(fingerprint);
    return device?.revokedMs === undefined ? device : undefined;
  }

  get allTrusted(): readonly PairedDevice[] {
    return this.all.filter(({ revokedMs }) => revokedMs === undefined);
  }

  /**
   * @throws HeddleError `HEDDLE_PAIRING_FAILED` when there are as many as there may be,
   * `HEDDLE_STORAGE_IO` when it could not be kept.
   */
  async add(device: PairedDevice): Promise<void> {
    this.assertRoomFor(device.fingerprint);
    await this.#write(device);
  }

  /**
   * As it was before `added`, unless something else was said of the device since: a revocation stays.
   *
   * @throws HeddleError `HEDDLE_STORAGE_IO` when it could not be kept.
   */
  async takeBack(added: PairedDevice, before: PairedDevice | undefined): Promise<void> {
    this.refresh();
    const now = this.#devices.get(added.fingerprint);
    if (!now || writePairedDevice(now) !== writePairedDevice(added)) return;
    await this.#keep(added.fingerprint, (file) => {
      return before ? replaceFile(file, writePairedDevice(before)) : rm(file, { force: true });
    });
  }

  /** @throws HeddleError `HEDDLE_STORAGE_IO` when no device could be written down, as on a disk that is read-only. */
  async assertWritable(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await access(this.#folder, constants.W_OK);
    } catch (cause) {
      const message = `${this.#folder} cannot be written to`;
      throw new HeddleError(HeddleErrorCode.storageIo, message, { cause });
    }
  }

  /** @throws HeddleError `HEDDLE_PAIRING_FAILED` when there are as many as there may be. */
  assertRoomFor(fingerprint: Fingerprint): void {
    this.refresh();
    if (this.#devices.has(fingerprint) || this.#devices.size < lanLimits.pairedMax) return;
    throw pairingFailed(`${lanLimits.pairedMax} devices are paired: forget one of them first`);
  }

  /**
   * From now on it is a stranger; the file stays and says since when.
   *
   * @param wanted also what the records of the space are to say.
   */
  async revoke(fingerprint: Fingerprint, revokedMs: number, wanted?: "removed"): Promise<void> {
    // Another program may have paired it a moment ago.
    this.refresh();
    const device = this.#devices.get(fingerprint);
    if (device) await this.#write({ ...device, revokedMs, ...(wanted && { wanted }) });
  }

  /** Looks at the folder again; whether something has changed. */
  refresh(): boolean {
    const stamp = stampOf(this.#folder);
    if (stamp === this.#seen) return false;
    this.#seen = stamp;
    const unreadable: string[] = [];
    const devices = new Map<Fingerprint, PairedDevice>();
    for (const name of namesIn(this.#folder)) {
      const device = readDevice(path.join(this.#folder, name));
      const isWhole = device !== undefined && name === device.fingerprint + extension;
      if (!isWhole || devices.size >= lanLimits.pairedMax) unreadable.push(name);
      else devices.set(device.fingerprint, device);
    }
    this.#devices = devices;
    this.#unreadable = unreadable;
    return true;
  }

  #write(device: PairedDevice): Promise<void> {
    const { fingerprint } = device;
    return this.#keep(fingerprint, (file) => replaceFile(file, writePairedDevice(device)));
  }

  async #keep(fingerprint: Fingerprint, work: (file: string) => Promise<void>): Promise<void> {
    const file = path.join(this.#folder, fingerprint + extension);
    try {
      await work(file);
    } catch (cause) {
      const message = `${file} could not be written`;
      throw new HeddleError(HeddleErrorCode.storageIo, message, { cause });
    }
    // A clock of the file system may stand still between two writes.
    this.#seen = "";
    this.refresh();
  }
}

/** Changes with every file that is put in place; a folder that is not there has none. */
function stampOf(folder: string): string {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? "none" : `${found.ino} ${found.mtimeNs}`;
}

function namesIn(folder: string): readonly string[] {
  const there = statSync(folder, { throwIfNoEntry: false });
  if (there === undefined) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .toSorted();
}

function readDevice(file: string): PairedDevice | undefined {
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size > lanLimits.recordBytesMax) return undefined;
    return parsePairedDevice(readFileSync(file, "utf8"));
  } catch {
    // Whatever keeps it from being read: it is listed as unreadable, and trusted by nobody.
    return undefined;
  }
}
