import { encode, renderUnicodeCompact } from "uqr";

import type { TableRoom } from "./peer-table.ts";

/** Light modules around a code: as ISO/IEC 18004 wants it, and what cameras manage with. */
const borders = [4, 2] as const;
/** Of what stands below the code, with the link itself on two of them. */
const linesBelow = 5;

/** Bright white on black, whatever the colours of the terminal are: a code the other way round is not for every camera. */
const lightOnDark = "\u001b[97;40m";
const reset = "\u001b[0m";

/**
 * A link as a QR code, two modules to a character. Drawn light on dark: without colours that is right where a
 * terminal has a dark background, and inverted on a light one, which most cameras read.
 *
 * Undefined where the terminal is too narrow: it would wrap every line.
 */
export function linkCode(
  link: string,
  { columns = Infinity, rows = Infinity, hasColors = false }: TableRoom,
): string | undefined {
  const widthOf = (border: number): number => encode(link, { border }).size;
  const fits = (border: number): boolean => widthOf(border) <= columns;
  const isLow = Math.ceil(widthOf(borders[0]) / 2) + linesBelow > rows;
  const border = borders.find((each, index) => fits(each) && (index > 0 || !isLow));
  if (border === undefined) return undefined;
  const lines = renderUnicodeCompact(link, { border }).split("\n");
  return lines.map((line) => (hasColors ? `${lightOnDark}${line}${reset}` : line)).join("\n");
}
