import { HeddleError, HeddleErrorCode, type DocumentId, type LogFields } from "@heddle/core";
import type { CreationStage, UpdateClaim, UpdateFacts, SourceQuota } from "@heddle/replica";

import { shareKey } from "./client-shares.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { countLimit } from "./relay-counters.ts";
import type { RelayLimit } from "./relay-limits.ts";

/** Whose quota it is: a connection. */
export interface Writer {
  /** `undefined` where bounds of one address do not apply. */
  readonly address: string | undefined;
  readonly logFields: LogFields;
}

/**
 * What one connection may still bring. Its answer to the relay's step 1 may be the history of a document
 * with many authors; after that it types, and one who types is one client, or a few. What it brings in
 * all is charged to its address and document, which a new connection does not change.
 *
 * Asking costs nothing: only what was taken is charged. What is refused here is refused for now.
 */
export class WriterQuota implements SourceQuota {
  readonly #context: GatewayContext;
  readonly #writer: Writer;
  readonly #shareKey: string | undefined;
  #firstSync: "ahead" | "now" | "over" = "ahead";
  #clientsBrought = 0;

  constructor(context: GatewayContext, writer: Writer, document: DocumentId) {
    this.#context = context;
    this.#writer = writer;
    this.#shareKey = writer.address === undefined ? undefined : shareKey(document, writer.address);
  }

  /** From here to {@link endFirstSync} it has the allowance of a first sync, if that was not used yet. */
  beginFirstSync(): void {
    if (this.#firstSync === "ahead") this.#firstSync = "now";
  }

  endFirstSync(): void {
    if (this.#firstSync === "now") this.#firstSync = "over";
  }

  /** @throws HeddleError `HEDDLE_RELAY_QUOTA`. */
  assertAffordable({ isFirst, clients, clientsClaimed }: UpdateClaim): void {
    // All that the document has may be among them.
    const newClients = Math.max(0, clientsClaimed - clients);
    this.#assertDocumentHasRoom(clients, newClients);
    if (isFirst) this.#assertMayCreate();
    else this.#assertShareHasRoom(newClients);
  }

  /** @throws HeddleError `HEDDLE_RELAY_QUOTA`. */
  assertWelcome({ isFirst, clients, newClients, newClientsAdmitted }: UpdateFacts): void {
    this.#assertDocumentHasRoom(clients, newClients);
    this.#assertConnectionHasRoom(newClientsAdmitted);
    if (isFirst) this.#assertMayCreate();
    else this.#assertShareHasRoom(newClients);
  }

  onTaken({ isFirst, clients, newClients, newClientsAdmitted }: UpdateFacts): void {
    if (this.#firstSync !== "now") this.#clientsBrought += newClientsAdmitted;
    this.#warnOfMany(clients, newClientsAdmitted);
    if (this.#shareKey === undefined || newClients === 0) return;
    const { shares, counters } = this.#context;
    const hasForgotten = isFirst
      ? shares.takeFirst(this.#shareKey, newClients, this.#nowMs)
      : shares.take(this.#shareKey, newClients, this.#nowMs);
    if (hasForgotten) countLimit(counters, "clientSharesMax");
  }

  onCreation(stage: CreationStage): void {
    const { addresses, creations } = this.#context;
    creations.on(stage);
    const { address } = this.#writer;
    if (address === undefined) return;
    if (stage === "begun") addresses.countCreated(address, this.#nowMs);
    if (stage === "failed") addresses.forgiveCreated(address, this.#nowMs);
  }

  /** Few newcomers always find room: a crowd must not lock them out of their own document. */
  #assertDocumentHasRoom(clients: number, newClients: number): void {
    const { clientsPerDocumentMax, newcomersPerUpdateMax } = this.#context.limits;
    if (newClients <= newcomersPerUpdateMax || clients + newClients <= clientsPerDocumentMax)
      return;
    throw this.#refusal("clientsPerDocumentMax", "the document has too many Yjs clients");
  }

  #assertConnectionHasRoom(newClients: number): void {
    const { clientsPerConnectionMax } = this.#context.limits;
    if (this.#firstSync === "now" || newClients === 0) return;
    if (this.#clientsBrought + newClients <= clientsPerConnectionMax) return;
    const message = "one connection brings too many Yjs clients";
    throw this.#refusal("clientsPerConnectionMax", message);
  }

  #assertShareHasRoom(newClients: number): void {
    const { shares } = this.#context;
    if (this.#shareKey === undefined || newClients === 0) return;
    if (shares.hasRoom(this.#shareKey, newClients, this.#nowMs)) return;
    const message = "one address brings too many Yjs clients to the document";
    throw this.#refusal("clientsPerAddressMax", message);
  }

  #assertMayCreate(): void {
    const { addresses, creations, limits } = this.#context;
    if (creations.count >= limits.documentsMax) {
      throw this.#refusal("documentsMax", "the relay holds as many documents as it may");
    }
    const { address } = this.#writer;
    if (address === undefined || addresses.mayCreate(address, this.#nowMs)) return;
    const message = "too many new documents from one address";
    throw this.#refusal("documentsPerAddressPerHour", message);
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

  get #nowMs(): number {
    return this.#context.environment.clock.monotonicMs();
  }
}
