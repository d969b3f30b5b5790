import { MemberRole, type DeviceKey } from "@heddle/core";

import { fingerprintOfRaw, isFingerprint, type Fingerprint } from "./device-identity.ts";
import { isName } from "./device-name.ts";

/** What the owner of a list wants the records of the space to say of a device, too. */
export type WantedStanding = keyof typeof MemberRole | "removed";

/** A device that this one was paired with. */
export interface PairedDevice {
  readonly fingerprint: Fingerprint;
  /** What it called itself then; for people. */
  readonly name: string;
  /** 32 bytes in hex that both know and nobody else: tags of announcements are made with it. */
  readonly tagKey: string;
  /** Wall clock, in milliseconds. */
  readonly pairedMs: number;
  /** Since then it is not trusted. */
  readonly revokedMs?: number;
  /** As records of a space name it; absent where an older heddle wrote the file. */
  readonly key?: DeviceKey;
  /** Absent in the open space, and where nothing was asked for. */
  readonly wanted?: WantedStanding;
}

/** Of the file; a reader takes no other. */
const format = "heddle-paired/1";

export function writePairedDevice(device: PairedDevice): string {
  const { fingerprint, name, tagKey, pairedMs, revokedMs, key, wanted } = device;
  // What is undefined is left out.
  const record = { format, fingerprint, name, tagKey, pairedMs, revokedMs, key, wanted };
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** Undefined for anything that {@link writePairedDevice} would not have written. */
export function parsePairedDevice(text: string): PairedDevice | undefined {
  const record = parseJson(text);
  if (record === undefined || record["format"] !== format) return undefined;
  const { fingerprint, name, tagKey, pairedMs, revokedMs, key, wanted } = record;
  if (!isFingerprint(fingerprint) || !isName(name) || !isFingerprint(tagKey)) return undefined;
  if (!isTime(pairedMs) || (revokedMs !== undefined && !isTime(revokedMs))) return undefined;
  if (key !== undefined && !isKey(key, fingerprint)) return undefined;
  if (wanted !== undefined && !isWanted(wanted)) return undefined;
  return {
    fingerprint,
    name,
    tagKey,
    pairedMs,
    ...(revokedMs !== undefined && { revokedMs }),
    ...(key !== undefined && { key }),
    ...(wanted !== undefined && { wanted }),
  };
}

/** Whoever is granted something is whom the file trusts. */
function isKey(value: unknown, fingerprint: Fingerprint): value is DeviceKey {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) return false;
  return fingerprintOfRaw(Buffer.from(value, "hex")) === fingerprint;
}

function isWanted(value: unknown): value is WantedStanding {
  return typeof value === "string" && (value === "removed" || Object.hasOwn(MemberRole, value));
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // Not even JSON: the caller counts what cannot be read.
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
