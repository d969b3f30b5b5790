import { stripVTControlCharacters } from "node:util";

import decodeQr from "qr/decode.js";
import { expect, test } from "vitest";

import { linkCode } from "./link-code.ts";

// Goal: what a terminal shows is read by a camera: another library than the one that drew it decodes the cells.

const place = "a=192.168.178.123:54321";
const rest = "s=wGWFHw618_9aIXvjN4fHWg&f=KpafPCAOAfbtZJrVwOVlG0QzRXVybJOfOLi4OUIQPk0";
const link = `heddle-pair:1?${place}&${rest}`;
const longest = `heddle-pair:1?${Array.from({ length: 4 }, () => place).join("&")}&${rest}`;

const white = 255;

/** Cells of a terminal that draws light on dark, or the other way round; around them its own background. */
function pictureOf(code: string, light: number) {
  const [wide, high, around] = [4, 4, 4];
  const lines = stripVTControlCharacters(code).split("\n");
  const width = (lines[0]!.length + 2 * around) * wide;
  const height = (lines.length * 2 + 2 * around) * high;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = Math.floor(y / high) - around;
      const cell = lines[row >> 1]?.[Math.floor(x / wide) - around] ?? " ";
      const isLit = cell === "█" || cell === (row % 2 === 0 ? "▀" : "▄");
      data.fill(isLit ? light : white - light, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return { width, height, data };
}

test("[LAN-5] the code of a link is decoded as the link, on a dark terminal and on a light one", () => {
  for (const text of [link, longest]) {
    expect(decodeQr(pictureOf(linkCode(text, {})!, white))).toBe(text);
    expect(decodeQr(pictureOf(linkCode(text, { columns: 80, rows: 24 })!, white))).toBe(text);
  }
  expect(decodeQr(pictureOf(linkCode(link, {})!, 0))).toBe(link);
});

test("[LAN-5] a code has the quiet zone that the terminal has room for, and none is drawn that would be wrapped", () => {
  const sizeOf = (room: Parameters<typeof linkCode>[1]) => {
    const lines = linkCode(link, room)!.split("\n");
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
    return [lines[0]!.length, lines.length];
  };
  expect(sizeOf({ columns: 120, rows: 40 })).toEqual([49, 25]);
  expect(sizeOf({ columns: 80, rows: 24 })).toEqual([45, 23]);
  expect(sizeOf({ columns: 48, rows: 40 })).toEqual([45, 23]);
  expect(linkCode(link, { columns: 44 })).toBeUndefined();
});

test("[LAN-5] where there are colours, a code is light on dark whatever the terminal is", () => {
  const code = linkCode(link, { hasColors: true })!;
  for (const line of code.split("\n")) {
    expect([line.slice(0, 8), line.slice(-4)]).toEqual(["\u001b[97;40m", "\u001b[0m"]);
  }
  expect(stripVTControlCharacters(code)).toBe(linkCode(link, {}));
});
