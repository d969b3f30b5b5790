import type { Environment } from "@heddle/core";

import type { AddressBook } from "./address-book.ts";
import type { CatchUpBudget } from "./catch-up-budget.ts";
import type { CatchUpTurns } from "./catch-up-turns.ts";
import type { ClientShares } from "./client-shares.ts";
import type { DocumentCreations } from "./document-creations.ts";
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
  readonly turns: CatchUpTurns;
  readonly shares: ClientShares;
  readonly creations: DocumentCreations;
}
