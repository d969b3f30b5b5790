import type { IncomingMessage } from "node:http";

import { expect, test } from "vitest";

import { addressOf, parseAddress } from "./client-address.ts";

test.each([
  ["203.0.113.7", "203.0.113.7", false],
  ["::ffff:203.0.113.7", "203.0.113.7", false],
  ["127.0.0.1", "127.0.0.1", true],
  ["::ffff:127.0.0.1", "127.0.0.1", true],
  ["::1", "::1", true],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", false],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64", false],
  ["2001:db8::1", "2001:db8:0:0::/64", false],
  ["fe80::1%eth0", "fe80:0:0:0::/64", false],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64", false],
])("[RLY-11] %s counts as %s", (address, text, isLocal) => {
  expect(parseAddress(address)).toEqual({ text, isLocal });
});

function requestWith(forwarded: string | undefined): IncomingMessage {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return { socket: { remoteAddress: "127.0.0.1" }, headers } as unknown as IncomingMessage;
}

test.each([
  ["198.51.100.1, 203.0.113.7", "203.0.113.7"],
  ["203.0.113.7", "203.0.113.7"],
  ["[2001:db8::1]", "2001:db8:0:0::/64"],
  ["203.0.113.7, unknown", "127.0.0.1"],
  [undefined, "127.0.0.1"],
])("[RLY-11] with a trusted proxy, X-Forwarded-For %j means %s", (forwarded, text) => {
  expect(addressOf(requestWith(forwarded), true).text).toBe(text);
});

test("[RLY-11] without one the header is anybody's word", () => {
  expect(addressOf(requestWith("203.0.113.7"), false).text).toBe("127.0.0.1");
});
