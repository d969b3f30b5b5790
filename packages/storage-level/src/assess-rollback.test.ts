import { newStoreId } from "@heddle/core";
import { seededRandom } from "@heddle/testkit";
import { describe, expect, it } from "vitest";

import { assessRollback, type OpenedHistory } from "./assess-rollback.ts";
import { emptyTail } from "./records.ts";
import type { FoundWitness, Witness } from "./witness.ts";

const random = seededRandom("rollback");
const storeId = newStoreId(random);
const chains = Array.from({ length: 12 }, () => random.bytes(16));
const nonces = [random.bytes(16), random.bytes(16)];

const history: OpenedHistory = {
  storeId,
  tail: { ...emptyTail, number: 10, chain: chains[10]! },
  incarnations: nonces.map((nonce, index) => ({
    opening: index + 1,
    nonce,
    firstArrival: 1 + index * 5,
    openedAtMs: 1,
    hasWitness: true,
  })),
  chainOf: async (number) => chains[number],
};

function witnessed(changes: Partial<Witness> = {}, isOriginal = true): FoundWitness {
  const witness = {
    storeId,
    incarnation: nonces[1]!,
    number: 10,
    chain: chains[10]!,
    writtenAtMs: 1,
    restored: false,
    ...changes,
  };
  return { found: "whole", witness, isOriginal };
}

describe("assessRollback", () => {
  it.each([
    ["names the last group", witnessed()],
    ["is behind the log", witnessed({ number: 7, chain: chains[7]! })],
    [
      "is of the opening before",
      witnessed({ number: 4, chain: chains[4]!, incarnation: nonces[0]! }),
    ],
  ])("[STO-9] goes on where the witness %s", async (_name, found) => {
    expect(await assessRollback(found, history)).toBeUndefined();
  });

  it.each([
    ["groups-lost", 3, witnessed({ number: 13, chain: random.bytes(16) })],
    ["groups-lost", 3, witnessed({ number: 13, chain: random.bytes(16) }, false)],
    ["history-differs", 0, witnessed({ chain: random.bytes(16) })],
    ["history-differs", 0, witnessed({ incarnation: random.bytes(16) })],
    ["history-differs", 0, witnessed({ storeId: newStoreId(random) })],
    ["copied", 0, witnessed({}, false)],
    ["restored", 0, witnessed({ restored: true }, false)],
    ["witness-missing", 0, { found: "none" }],
    ["witness-damaged", 0, { found: "damaged", why: "its checksum differs" }],
  ] as const)("[STO-9] says %s, %i groups known to be lost", async (reason, groupsLost, found) => {
    expect(await assessRollback(found, history)).toEqual({ reason, groupsLost });
  });

  it("takes a store from before there were witnesses as it is", async () => {
    const incarnations = history.incarnations.map((one) => ({ ...one, hasWitness: false }));
    expect(await assessRollback({ found: "none" }, { ...history, incarnations })).toBeUndefined();
  });

  it("leaves a group that cannot be read to the verification", async () => {
    const found = witnessed({ chain: random.bytes(16) });
    expect(await assessRollback(found, { ...history, chainOf: unreadable })).toBeUndefined();
  });
});

async function unreadable(): Promise<undefined> {
  return undefined;
}
