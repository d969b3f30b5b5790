import { expect, test } from "vitest";

import { announcedBy, announcedText } from "./announcement-tags.ts";
import { newIdentity, pairedWith } from "./lan-site.fixture.ts";

const nonce = "00112233445566ff";

test("[LAN-7] an announcement says whose it is to whoever is paired, and nothing to others", () => {
  const [ada, bo, cy] = [newIdentity(), newIdentity(), newIdentity()];
  const tagKey = "a1".repeat(32);
  const text = announcedText(ada, [{ ...pairedWith(bo), tagKey }], nonce);
  // Bo knows Ada by the key that both have; Cy has another one with everybody.
  expect(announcedBy(text, [pairedWith(cy), { ...pairedWith(ada), tagKey }])).toMatchObject({
    fingerprint: ada.fingerprint,
  });
  expect(announcedBy(text, [pairedWith(ada), pairedWith(bo)])).toBeUndefined();
  // Its own words sent back are not the other one's.
  expect(announcedBy(text, [{ ...pairedWith(bo), tagKey }])).toBeUndefined();
  const words = JSON.stringify(text);
  for (const { fingerprint } of [ada, bo]) expect(words).not.toContain(fingerprint.slice(0, 8));
  expect(announcedText(ada, [{ ...pairedWith(bo), tagKey }], "ff".repeat(8))["t0"]).not.toBe(
    text["t0"],
  );
});

test("64 devices have room in one announcement, in strings of at most 255 bytes", () => {
  const ada = newIdentity();
  const many = Array.from({ length: 64 }, (_, index) => {
    return { ...pairedWith(newIdentity()), tagKey: index.toString(16).padStart(64, "0") };
  });
  const text = announcedText(ada, many, nonce);
  const strings = Object.entries(text).map(([key, value]) => `${key}=${value}`);
  expect(Math.max(...strings.map(({ length }) => length))).toBeLessThanOrEqual(255);
  const asEach = many.map(({ tagKey }) => announcedBy(text, [{ ...pairedWith(ada), tagKey }]));
  expect(asEach.every((device) => device?.fingerprint === ada.fingerprint)).toBe(true);
});

test("announcements of version 1 are written as ever", () => {
  const fingerprint = "0f".repeat(32);
  const other = { ...pairedWith(newIdentity()), tagKey: "5a".repeat(32) };
  const text = announcedText({ ...newIdentity(), fingerprint }, [other], nonce);
  expect(text).toEqual({ v: "1", n: nonce, t0: "-IFE42Ns" });
});

test.each([
  {},
  { v: "2", n: nonce, t0: "AAAAAAAA" },
  { v: "1", n: "zz", t0: "AAAAAAAA" },
  { v: "1", n: nonce, t0: "short" },
  { v: "1", n: nonce, t0: "A".repeat(250), t1: "", t99: "x" },
])("%j is nobody's", (text) => {
  expect(announcedBy(text as never, [pairedWith(newIdentity())])).toBeUndefined();
});
