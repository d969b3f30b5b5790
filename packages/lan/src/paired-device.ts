import { isFingerprint, type Fingerprint } from "./device-identity.ts";
import { isName } from "./device-name.ts";

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
}

/** Of the file; a reader takes no other. */
const format = "heddle-paired/1";

export function writePairedDevice(device: PairedDevice): string {
  const { fingerprint, name, tagKey, pairedMs, revokedMs } = device;
  const revoked = revokedMs === undefined ? {} : { revokedMs };
  const record = { format, fingerprint, name, tagKey, pairedMs, ...revoked };
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** Undefined for anything that {@link writePairedDevice} would not have written. */
export function parsePairedDevice(text: string): PairedDevice | undefined {
  const record = parseJson(text);
  if (record === undefined || record["format"] !== format) return undefined;
  const { fingerprint, name, tagKey, pairedMs, revokedMs } = record;
  if (!isFingerprint(fingerprint) || !isName(name) || !isFingerprint(tagKey)) return undefined;
  if (!isTime(pairedMs) || (revokedMs !== undefined && !isTime(revokedMs))) return undefined;
  return { fingerprint, name, tagKey, pairedMs, ...(revokedMs !== undefined && { revokedMs }) };
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
