import { stripVTControlCharacters } from "node:util";

import { expect, test } from "vitest";

import { displayWidth } from "./display-width.ts";
import type { PeerPicture, PeerRow } from "./peer-picture.ts";
import { PeerScreen } from "./peer-screen.ts";
import { peerTable } from "./peer-table.ts";

// Goal: the table stays one whatever devices are called and however small the terminal is, or becomes.

function rowOf(name: string, digits: string, address = "192.168.178.123:54321"): PeerRow {
  const device = { fingerprint: digits.repeat(32), name, tagKey: "", pairedMs: 0 };
  return { device, state: "connected", addresses: [address], exchange: "done" };
}

function pictureOf(...peers: readonly PeerRow[]): PeerPicture {
  const outbox = { envelopes: 0, bytes: 0 };
  const about = { directory: "/srv/notes", fingerprint: "0011-2233-4455-6677", port: 4711 };
  return { ...about, peers, documents: 3, outbox, trouble: undefined };
}

const japanese = rowOf("日本語のノート 💻 laptop", "ab");

function cellsBefore(line: string, word: string): number {
  return displayWidth(line.slice(0, line.indexOf(word)));
}

test("columns stand under each other whatever devices are called", () => {
  const [, , , head, first, second] = peerTable(pictureOf(japanese, rowOf("Bo", "cd")));
  expect(first).toBe(
    "日本語のノート 💻 laptop (abab-abab-abab-abab)  connected  192.168.178.123:54321  up to date",
  );
  expect(cellsBefore(second!, "connected")).toBe(cellsBefore(first!, "connected"));
  expect(cellsBefore(head!, "state")).toBe(cellsBefore(first!, "connected"));
});

test("where it is narrow, names are shortened and addresses left out before a state is", () => {
  const picture = pictureOf(japanese, rowOf("x".repeat(128), "cd"));
  const at = (columns: number) => peerTable(picture, { columns }).slice(4, 6);
  expect(at(80)).toEqual([
    "日本語のノ… (abab-abab-abab-abab)   connected  192.168.178.123:54321  up to date",
    "xxxxxxxxxxx… (cdcd-cdcd-cdcd-cdcd)  connected  192.168.178.123:54321  up to date",
  ]);
  expect(at(50)).toEqual([
    "日本… (abab-abab-abab-abab)  connected  up to date",
    "xxxx… (cdcd-cdcd-cdcd-cdcd)  connected  up to date",
  ]);
  for (const columns of [20, 50, 80, 120]) {
    for (const line of peerTable(picture, { columns })) {
      expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    }
  }
});

test("of more devices than a terminal has lines for, those are shown that fit", () => {
  const picture = pictureOf(...Array.from({ length: 30 }, (_, index) => rowOf(`d${index}`, "ab")));
  const lines = peerTable(picture, { columns: 80, rows: 24 });
  expect(lines).toHaveLength(23);
  expect(lines[18]).toBe("… and more: heddle peers");
  expect(lines.at(-1)).toBe("stop with Ctrl-C");
  expect(peerTable(picture)).toHaveLength(38);
  expect(peerTable(picture, { columns: 80, rows: 5 })).toEqual(lines.slice(-4));
});

test("a table that was drawn wider is gone when the terminal is narrower, wrapped lines too", () => {
  const err: string[] = [];
  const io = {
    out: () => undefined,
    err: (line: string) => err.push(line),
    isTTY: true,
    columns: 100,
  };
  const screen = new PeerScreen(io, false);
  screen.show(pictureOf(rowOf("Ada's laptop in the workshop", "ab")));
  const drawn = err[0]!.split("\n");
  io.columns = 50;
  screen.show(pictureOf(rowOf("Ada's laptop in the workshop", "ab")));
  const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 50)), 0);
  expect(rows).toBeGreaterThan(drawn.length);
  expect(err[1]!.startsWith(`\u001b[${rows}A\u001b[J`)).toBe(true);
});

test("has no styles where nobody wants colours", () => {
  const picture = pictureOf(japanese);
  const plain = peerTable(picture, { columns: 80 });
  expect(plain.join("")).not.toContain("\u001b");
  const styled = peerTable(picture, { columns: 80, hasColors: true });
  expect(styled.join("")).toContain("\u001b[1m");
  expect(styled.map((line) => stripVTControlCharacters(line))).toEqual(plain);
});
