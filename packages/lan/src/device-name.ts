import { lanLimits } from "./lan-limits.ts";

/** One line that can be shown in a terminal: whoever sends it chose it. */
export function isName(value: unknown): value is string {
  if (typeof value !== "string" || value.trim() !== value || value === "") return false;
  return Buffer.byteLength(value) <= lanLimits.nameBytesMax && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
}

/** The nearest name to what somebody gave. */
export function nameFrom(text: string): string {
  let name = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").trim();
  while (Buffer.byteLength(name) > lanLimits.nameBytesMax) {
    name = [...name].slice(0, -1).join("").trim();
  }
  return name === "" ? "unnamed device" : name;
}
