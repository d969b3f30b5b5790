import type { DocumentId, HeddleError, HeddleErrorCode } from "@heddle/core";
import type { UpdateFacts } from "@heddle/replica";
import { expect, test } from "vitest";

import { AddressBook } from "./address-book.ts";
import { CatchUpBudget } from "./catch-up-budget.ts";
import { CatchUpTurns } from "./catch-up-turns.ts";
import { ClientShares } from "./client-shares.ts";
import { DocumentCreations } from "./document-creations.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits } from "./relay-limits.ts";
import { WriterQuota } from "./writer-quota.ts";

const typing: UpdateFacts = { isFirst: false, clients: 100, newClients: 0, newClientsAdmitted: 0 };
const bringing = (newClients: number, admitted = newClients): UpdateFacts => {
  return { ...typing, newClients, newClientsAdmitted: admitted };
};
const documentIds = ["a".repeat(32), "b".repeat(32)] as DocumentId[];

/** One relay, on which connections of any address come and go. */
function newRelay() {
  const limits = { ...defaultRelayLimits, documentsPerAddressPerHour: 2 };
  const counters = newRelayCounters();
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const addresses = new AddressBook(limits);
  const warnings: string[] = [];
  const logger = { warn: (event: string) => warnings.push(event) };
  const context: GatewayContext = {
    limits,
    counters,
    addresses,
    catchUps: new CatchUpBudget<GatewayConnection>(1),
    turns: new CatchUpTurns({} as never),
    shares: new ClientShares(limits),
    creations: new DocumentCreations(() => 0, counters),
    environment: { clock, logger } as unknown as GatewayContext["environment"],
  };
  return {
    counters,
    warnings,
    shares: context.shares,
    creations: context.creations,
    pass: (ms: number) => (nowMs += ms),
    connect(address?: string, document = documentIds[0]!) {
      if (address !== undefined) addresses.enter(address, nowMs);
      return new WriterQuota(context, { address, logFields: {} }, document);
    },
  };
}

function codeOf(action: () => void): HeddleErrorCode | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as HeddleError).code;
  }
}

/** Asks, and has it taken if it is welcome. */
function bring(quota: WriterQuota, facts: UpdateFacts): HeddleErrorCode | undefined {
  return codeOf(() => {
    quota.assertWelcome(facts);
    quota.onTaken(facts);
  });
}

function bringFirst(quota: WriterQuota, facts: UpdateFacts): HeddleErrorCode | undefined {
  quota.beginFirstSync();
  const code = bring(quota, facts);
  quota.endFirstSync();
  return code;
}

const quotaCode = "HEDDLE_RELAY_QUOTA";
const stranger = "203.0.113.1";

test("[RLY-16] the answer to step 1 may bring a crowd, once", () => {
  const quota = newRelay().connect();
  expect(bringFirst(quota, bringing(5_000))).toBeUndefined();
  expect(bringFirst(quota, bringing(5_000))).toBe(quotaCode);
  expect(bring(quota, bringing(64))).toBeUndefined();
  expect(bring(quota, bringing(1))).toBe(quotaCode);
  expect(bring(quota, typing)).toBeUndefined();
});

test("[RLY-16] what is parked counts for its connection when it is admitted", () => {
  const quota = newRelay().connect();
  for (let count = 0; count < 1_000; count++) bring(quota, bringing(1, 0));
  expect(bring(quota, bringing(64))).toBeUndefined();
});

test("[RLY-16] what was asked for and not taken costs nothing", () => {
  const { connect, creations } = newRelay();
  const quota = connect(stranger);
  for (let count = 0; count < 1_000; count++) quota.assertWelcome(bringing(64));
  for (let count = 0; count < 100; count++) {
    quota.assertWelcome({ ...bringing(64), isFirst: true });
  }
  expect(bring(quota, bringing(64))).toBeUndefined();
  expect(creations.count).toBe(0);
});

test("[RLY-16] a crowd fills a document for crowds, and newcomers find room all the same", () => {
  const { connect, counters } = newRelay();
  const full = { ...typing, clients: 10_000 };
  expect(bring(connect(), full)).toBeUndefined();
  expect(bring(connect(), { ...full, newClients: 16, newClientsAdmitted: 16 })).toBeUndefined();
  const crowd = { ...full, newClients: 17, newClientsAdmitted: 17 };
  expect(bringFirst(connect(), crowd)).toBe(quotaCode);
  expect(counters.limited.get("clientsPerDocumentMax")).toBe(1);
});

test("[RLY-16] a reconnect renews nothing: the share is of the address in the document", () => {
  const { connect, counters, shares, pass } = newRelay();
  let brought = 0;
  while (bringFirst(connect(stranger), bringing(500)) === undefined) brought += 500;
  expect(brought).toBe(2_500);
  expect(bring(connect(stranger), bringing(1))).toBe(quotaCode);
  expect(bring(connect(stranger), typing)).toBeUndefined();
  expect(counters.limited.get("clientsPerAddressMax")).toBe(2);
  expect(bring(connect("203.0.113.2"), bringing(1))).toBeUndefined();
  expect(bring(connect(stranger, documentIds[1]), bringing(1))).toBeUndefined();
  expect(bring(connect(), bringing(1))).toBeUndefined();
  pass(6_000);
  expect(bring(connect(stranger), bringing(1))).toBeUndefined();
  pass(5 * 3_600_000);
  shares.forgetFull(5 * 3_600_000 + 6_000);
  expect(shares.size).toBe(0);
});

test("[RLY-14][RLY-16] the history of many people makes a new document, and its author goes on", () => {
  const { connect } = newRelay();
  const first = { ...bringing(8_000), clients: 0, isFirst: true };
  expect(bringFirst(connect(stranger), first)).toBeUndefined();
  // A page that is opened again is a new client.
  for (let page = 0; page < 100; page++) {
    expect(bring(connect(stranger), { ...bringing(1), clients: 8_000 })).toBeUndefined();
  }
});

test("[RLY-16] a crowd too many is turned away before it is read, and what is known already is not", () => {
  const { connect, counters } = newRelay();
  const claim = { isFirst: false, clients: 9_000, clientsClaimed: 9_000 };
  expect(codeOf(() => connect(stranger).assertAffordable(claim))).toBeUndefined();
  const crowd = { ...claim, clientsClaimed: 10_100 };
  expect(codeOf(() => connect().assertAffordable(crowd))).toBe(quotaCode);
  expect(codeOf(() => connect().assertAffordable({ ...claim, clientsClaimed: 9_900 }))).toBe(
    undefined,
  );
  expect(bringFirst(connect(stranger), bringing(2_500))).toBeUndefined();
  const more = { ...claim, clientsClaimed: 9_001 };
  expect(codeOf(() => connect(stranger).assertAffordable(more))).toBe(quotaCode);
  expect(counters.limited.get("clientsPerAddressMax")).toBe(1);
});

test("[RLY-16] creating is counted by address, once it is under way, and only where addresses are", () => {
  const { connect, counters, creations } = newRelay();
  const create = (address?: string): (HeddleErrorCode | undefined)[] =>
    [1, 2, 3].map(() => {
      const quota = connect(address);
      const code = bring(quota, { ...bringing(1), isFirst: true });
      if (code === undefined) quota.onCreation("begun");
      return code;
    });
  expect(create(stranger)).toEqual([undefined, undefined, quotaCode]);
  expect(create()).toEqual([undefined, undefined, undefined]);
  expect([creations.count, counters.documentsCreated]).toEqual([5, 0]);
  for (let count = 0; count < 3; count++) connect().onCreation("durable");
  expect([creations.count, counters.documentsCreated]).toEqual([5, 3]);
  // The disk failed: what was not stored is given back.
  connect(stranger).onCreation("failed");
  expect([creations.count, counters.documentsCreated]).toEqual([4, 3]);
  const claim = { isFirst: true, clients: 0, clientsClaimed: 1 };
  expect(codeOf(() => connect(stranger).assertAffordable(claim))).toBeUndefined();
  connect(stranger).onCreation("begun");
  expect(codeOf(() => connect(stranger).assertAffordable(claim))).toBe(quotaCode);
});

test("[RLY-16] shares are remembered up to a bound, the latest ones", () => {
  const shares = new ClientShares({ ...defaultRelayLimits, clientSharesMax: 2 });
  expect(shares.take("old", 2_500, 0)).toBe(false);
  expect(shares.take("new", 2_500, 0)).toBe(false);
  expect(shares.take("old", 1, 0)).toBe(false);
  expect(shares.take("third", 2_500, 0)).toBe(true);
  expect(shares.size).toBe(2);
  expect(["old", "new", "third"].map((key) => shares.hasRoom(key, 1, 0))).toEqual([
    false,
    true,
    false,
  ]);
});

test("[RLY-16] a document on its way to too many clients is reported once", () => {
  const { connect, warnings } = newRelay();
  const quota = connect();
  for (const clients of [1_998, 1_999, 2_000, 2_001]) bring(quota, { ...bringing(1), clients });
  expect(warnings).toEqual(["document.many_clients"]);
});
