import { deviceKey, MemberRole } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { newIdentity, pairedWith } from "./lan-site.fixture.ts";
import { parsePairedDevice, writePairedDevice, type WantedStanding } from "./paired-device.ts";
import { readCard, writeCard } from "./pairing-card.ts";

// Goal: files and cards of a space are read as they were written, older ones as before, damaged ones not at all.
// Method: both ways, with one field changed at a time.

const identity = newIdentity();
const key = deviceKey(identity.publicKey);

describe("the file of a paired device", () => {
  const wantedOnes = [...Object.keys(MemberRole), "removed"] as WantedStanding[];
  test.each(wantedOnes)("[LAN-14] keeps the key, and that it is wanted as %s", (wanted) => {
    const device = { ...pairedWith(identity), key, wanted, revokedMs: 1_700_000_000_001 };
    expect(parsePairedDevice(writePairedDevice(device))).toEqual(device);
  });

  test("[LAN-14] of an older heddle has neither", () => {
    const device = pairedWith(identity);
    const text = writePairedDevice(device);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(["format", ...Object.keys(device)]);
    expect(parsePairedDevice(text)).toEqual(device);
  });

  test.each([
    ["key", "ab"],
    ["key", 7],
    ["key", "5a".repeat(32)], // Of another device.
    ["wanted", "owner"],
    ["wanted", "toString"],
    ["wanted", 4],
  ])("[LAN-2] with %s %s is nobody's", (field, value) => {
    const whole = { ...pairedWith(identity), key, wanted: "read" as const };
    const record = JSON.parse(writePairedDevice(whole)) as object;
    expect(parsePairedDevice(JSON.stringify({ ...record, [field]: value }))).toBeUndefined();
  });
});

describe("the card of a host in a space", () => {
  const place = { role: "host", binding: new Uint8Array(32).fill(3) } as const;
  const genesis = new Uint8Array(300).fill(7);
  const card = writeCard(identity, "Ada", { ...place, genesis });
  const { fingerprint } = identity;

  test("[LAN-14] carries its genesis", () => {
    expect(readCard(card, place)).toEqual({ fingerprint, key, name: "Ada", genesis });
  });

  test("[LAN-14] is whole for an older heddle, which does not know that field", () => {
    const { space, ...older } = JSON.parse(card) as Record<string, unknown>;
    expect(space).toBeTypeOf("string");
    expect(Object.keys(older)).toEqual(["format", "key", "name", "signature"]);
    expect(readCard(JSON.stringify(older), place)).toEqual({ fingerprint, key, name: "Ada" });
  });

  test("[LAN-4] with one that is too long, or none, is refused", () => {
    const whole = JSON.parse(card) as object;
    const readWith = (space: unknown) => readCard(JSON.stringify({ ...whole, space }), place);
    expect(readWith("A".repeat(513))).toBeUndefined();
    expect(readWith(7)).toBeUndefined();
    expect(readWith("A".repeat(512))).toBeDefined();
  });
});
