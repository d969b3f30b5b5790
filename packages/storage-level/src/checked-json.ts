import { encodeUtf8 } from "lib0/string";

import { crc32 } from "./crc32.ts";

/** Small files beside the log: JSON for people, with `check`, a CRC-32 over the JSON of the other fields. */
export function encodeChecked(fields: object): string {
  return `${JSON.stringify({ ...fields, check: checkOf(fields) }, undefined, 2)}\n`;
}

export interface CheckedJson {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly check: "right" | "wrong" | "missing";
}

/** `undefined` for what is no JSON object. */
export function parseChecked(json: string): CheckedJson | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { check, ...fields } = value as Record<string, unknown>;
  if (check === undefined) return { fields, check: "missing" };
  return { fields, check: check === checkOf(fields) ? "right" : "wrong" };
}

function checkOf(fields: object): string {
  return crc32(encodeUtf8(JSON.stringify(fields))).toString(16);
}
