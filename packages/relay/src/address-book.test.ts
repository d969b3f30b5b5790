import { expect, test } from "vitest";

import { AddressBook } from "./address-book.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

const home = "203.0.113.1";
const office = "203.0.113.2";

test("[RLY-11] one address uses up its own share and nobody else's", () => {
  const book = new AddressBook({ ...defaultRelayLimits, connectionsPerAddressMax: 2 });
  expect([book.enter(home, 0), book.enter(home, 0)]).toEqual([undefined, undefined]);
  expect(book.enter(home, 0)).toBe("connectionsPerAddressMax");
  expect(book.enter(office, 0)).toBeUndefined();
  book.leave(home);
  expect(book.enter(home, 0)).toBeUndefined();
});

test("[RLY-11] knocks are counted whether they let in or not", () => {
  const limits = { ...defaultRelayLimits, upgradesPerAddressBurst: 3, connectionsPerAddressMax: 1 };
  const book = new AddressBook(limits);
  const verdicts = [0, 0, 0, 0, 100].map((nowMs) => book.enter(home, nowMs));
  expect(verdicts).toEqual([
    undefined,
    "connectionsPerAddressMax",
    "connectionsPerAddressMax",
    "upgradesPerAddressPerSecond",
    "connectionsPerAddressMax",
  ]);
});

test("[RLY-16] an hour brings the hour's documents back, one by one", () => {
  const book = new AddressBook({ ...defaultRelayLimits, documentsPerAddressPerHour: 4 });
  book.enter(home, 0);
  const create = (nowMs: number): boolean => {
    const may = book.mayCreate(home, nowMs);
    if (may) book.countCreated(home, nowMs);
    return may;
  };
  expect([0, 0, 0, 0, 0].map(create)).toEqual([true, true, true, true, false]);
  expect(create(899_000)).toBe(false);
  expect([create(901_000), create(901_000)]).toEqual([true, false]);
});

test("[RLY-11] addresses that did nothing for a while are forgotten, busy ones are not", () => {
  const book = new AddressBook({ ...defaultRelayLimits, addressesMax: 2 });
  book.enter(home, 0);
  book.enter(office, 0);
  book.leave(office);
  expect(book.enter("203.0.113.3", 0)).toBe("addressesMax");
  // The bucket of the office is full again, so nothing about it needs to be known.
  expect(book.enter("203.0.113.3", 10_000)).toBeUndefined();
  book.forgetIdle(60_000);
  expect(book.size).toBe(2);
});
