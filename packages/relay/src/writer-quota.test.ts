import type { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { UpdateFacts } from "@heddle/replica";
import { expect, test } from "vitest";

import { AddressBook } from "./address-book.ts";
import { CatchUpBudget } from "./catch-up-budget.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits } from "./relay-limits.ts";
import { WriterQuota } from "./writer-quota.ts";

const typing: UpdateFacts = { isFirst: false, clients: 100, newClients: 0, newClientsAdmitted: 0 };
const bringing = (newClients: number, admitted = newClients): UpdateFacts => {
  return { ...typing, newClients, newClientsAdmitted: admitted };
};

function newQuota(address?: string) {
  const limits = { ...defaultRelayLimits, documentsPerAddressPerHour: 2 };
  const counters = newRelayCounters();
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const addresses = new AddressBook(limits);
  if (address !== undefined) addresses.enter(address, 0);
  const context = {
    limits,
    counters,
    addresses,
    catchUps: new CatchUpBudget<GatewayConnection>(1),
    documentCount: () => 0,
  };
  const warnings: string[] = [];
  const logger = { warn: (event: string) => warnings.push(event) };
  const environment = { clock, logger } as unknown as GatewayContext["environment"];
  const quota = new WriterQuota({ ...context, environment }, { address, logFields: {} });
  return { counters, quota, warnings };
}

function codeOf(action: () => void): HeddleErrorCode | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as HeddleError).code;
  }
}

test("[RLY-16] the answer to step 1 may bring a crowd, once", () => {
  const { quota } = newQuota();
  const first = (): void => quota.duringFirstSync(() => quota.assertWelcome(bringing(5_000)));
  expect(codeOf(first)).toBeUndefined();
  expect(codeOf(first)).toBe("HEDDLE_RELAY_QUOTA");
  expect(codeOf(() => quota.assertWelcome(bringing(64)))).toBeUndefined();
  expect(codeOf(() => quota.assertWelcome(bringing(1)))).toBe("HEDDLE_RELAY_QUOTA");
  expect(codeOf(() => quota.assertWelcome(typing))).toBeUndefined();
});

test("[RLY-16] what is parked counts when it is admitted", () => {
  const { quota } = newQuota();
  for (let count = 0; count < 1_000; count++) quota.assertWelcome(bringing(1, 0));
  expect(codeOf(() => quota.assertWelcome(bringing(64)))).toBeUndefined();
});

test("[RLY-16] a document with all the clients it may have takes updates of those, and no others", () => {
  const { quota, counters } = newQuota();
  const full = { ...typing, clients: 10_000 };
  expect(codeOf(() => quota.assertWelcome(full))).toBeUndefined();
  const more = (): void => quota.assertWelcome({ ...full, newClients: 1, newClientsAdmitted: 1 });
  expect(codeOf(() => quota.duringFirstSync(more))).toBe("HEDDLE_RELAY_QUOTA");
  expect(counters.limited.get("clientsPerDocumentMax")).toBe(1);
});

test("[RLY-16] creating is counted by address, and only where addresses are", () => {
  const [stranger, local] = [newQuota("203.0.113.1"), newQuota()];
  const create = ({ quota }: typeof local) =>
    [1, 2, 3].map(() => codeOf(() => quota.assertWelcome({ ...bringing(1), isFirst: true })));
  expect(create(stranger)).toEqual([undefined, undefined, "HEDDLE_RELAY_QUOTA"]);
  expect(create(local)).toEqual([undefined, undefined, undefined]);
  expect(stranger.counters.documentsCreated).toBe(2);
});

test("[RLY-16] a document on its way to too many clients is reported once", () => {
  const { quota, warnings } = newQuota();
  for (const clients of [1_998, 1_999, 2_000, 2_001]) {
    quota.assertWelcome({ ...bringing(1), clients });
  }
  expect(warnings).toEqual(["document.many_clients"]);
});
