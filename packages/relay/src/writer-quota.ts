import { HeddleError, HeddleErrorCode, type LogFields } from "@heddle/core";
import type { UpdateFacts } from "@heddle/replica";

import type { GatewayContext } from "./gateway-context.ts";
import { countLimit } from "./relay-counters.ts";
import type { RelayLimit } from "./relay-limits.ts";

/** Whose quota it is: a connection. */
export interface Writer {
  readonly address: string | undefined;
  readonly logFields: LogFields;
}

/**
 * What one connection may still bring. Its answer to the relay's step 1 may be the history of a document
 * with many authors; after that it types, and one who types is one client, or a few.
 *
 * What is refused here is refused for now: a client that comes back brings the same as its first sync.
 */
export class WriterQuota {
  readonly #context: GatewayContext;
  readonly #writer: Writer;
  #isFirstSync: "ahead" | "now" | "over" = "ahead";
  #clientsBrought = 0;

  constructor(context: GatewayContext, writer: Writer) {
    this.#context = context;
    this.#writer = writer;
  }

  /** Runs `submit` with the allowance of a first sync, if that was not used yet. */
  duringFirstSync<Result>(submit: () => Result): Result {
    if (this.#isFirstSync === "ahead") this.#isFirstSync = "now";
    try {
      return submit();
    } finally {
      this.#isFirstSync = "over";
    }
  }

  /** @throws HeddleError `HEDDLE_RELAY_QUOTA`. */
  assertWelcome({ isFirst, clients, newClients, newClientsAdmitted }: UpdateFacts): void {
    const { limits } = this.#context;
    if (newClients > 0 && clients + newClients > limits.clientsPerDocumentMax) {
      throw this.#refusal("clientsPerDocumentMax", "the document has too many Yjs clients");
    }
    if (this.#isFirstSync !== "now") {
      if (this.#clientsBrought + newClientsAdmitted > limits.clientsPerConnectionMax) {
        throw this.#refusal(
          "clientsPerConnectionMax",
          "one connection brings too many Yjs clients",
        );
      }
      this.#clientsBrought += newClientsAdmitted;
    }
    if (isFirst) this.#create();
    this.#warnOfMany(clients, newClientsAdmitted);
  }

  #create(): void {
    const { addresses, counters, documentCount, environment, limits } = this.#context;
    if (documentCount() >= limits.documentsMax) {
      throw this.#refusal("documentsMax", "the relay holds as many documents as it may");
    }
    const { address } = this.#writer;
    if (address !== undefined) {
      const nowMs = environment.clock.monotonicMs();
      if (!addresses.mayCreate(address, nowMs)) {
        throw this.#refusal(
          "documentsPerAddressPerHour",
          "too many new documents from one address",
        );
      }
      addresses.countCreated(address, nowMs);
    }
    counters.documentsCreated++;
  }

  /** Every editing session is a client for ever, and Yjs grows slow with thousands of them. */
  #warnOfMany(clients: number, more: number): void {
    const { environment, limits } = this.#context;
    const warnAt = limits.clientsPerDocumentWarning;
    if (clients >= warnAt || clients + more < warnAt) return;
    const fields = { ...this.#writer.logFields, clients: clients + more };
    environment.logger.warn("document.many_clients", fields);
  }

  #refusal(limit: RelayLimit, message: string): HeddleError {
    countLimit(this.#context.counters, limit);
    return new HeddleError(HeddleErrorCode.relayQuota, message);
  }
}
