import type { Environment } from "@heddle/core";

import type { AddressBook } from "./address-book.ts";
import type { CatchUpBudget } from "./catch-up-budget.ts";
import type { GatewayConnection } from "./gateway-connection.ts";
import type { RelayCounters } from "./relay-counters.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** What all connections of one relay share. */
export interface GatewayContext {
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly addresses: AddressBook;
  readonly catchUps: CatchUpBudget<GatewayConnection>;
  /** Documents in the store. */
  readonly documentCount: () => number;
}
