import { InvalidArgumentError } from "commander";

const sizeUnits: Readonly<Record<string, number>> = { "": 0, KiB: 10, MiB: 20, GiB: 30 };

/** `64MiB` and the like, in bytes. */
export function size(text: string): number {
  const [, digits, unit = ""] = /^(\d+)(KiB|MiB|GiB)?$/.exec(text) ?? [];
  const bytes = Number(digits) * 2 ** (sizeUnits[unit] ?? 0);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("it is not a size, as in 64MiB.");
}

export function port(text: string): number {
  const number = Number(text);
  if (text !== "" && Number.isInteger(number) && number >= 0 && number < 65_536) return number;
  throw new InvalidArgumentError("it is not a port number.");
}

/** Below it a store takes nothing new: what is left is for those who read. */
export const diskLowDefault = 64 * 1024 * 1024;
