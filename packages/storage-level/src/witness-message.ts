import { fromHex, toHex } from "@heddle/core";

import type { FoundWitness } from "./witness-record.ts";

/** A witness as text, for another process of the same release. */
export function encodeFound(found: FoundWitness): string {
  return JSON.stringify(found, (_key, value: unknown) => {
    return value instanceof Uint8Array ? { hex: toHex(value) } : value;
  });
}

export function decodeFound(text: string): FoundWitness {
  return JSON.parse(text, (_key, value: unknown) => {
    const { hex } = Object(value) as { hex?: unknown };
    return typeof hex === "string" ? fromHex(hex) : value;
  }) as FoundWitness;
}
