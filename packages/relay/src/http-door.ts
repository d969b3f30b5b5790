import type { IncomingMessage, ServerResponse } from "node:http";

import type { Environment } from "@heddle/core";
import type { Connection } from "@heddle/sync";

import { isOriginAllowed, isTokenRight } from "./admission.ts";
import type { FrontDoor, Stranger } from "./front-door.ts";
import { HttpAcceptor, type HttpAcceptorCounters } from "./http-acceptor.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";
import type { RelayAccess } from "./relay-options.ts";

export interface HttpDoorOptions {
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly access: RelayAccess;
  readonly door: Pick<FrontDoor, "admit" | "countRefused">;
  readonly onPeer: (connection: Connection, stranger: Stranger) => void;
  /** The ceiling that keeps newcomers out at present. */
  readonly overloadedBy: () => RelayLimit | undefined;
}

/** How often a door that closes looks whether everybody has left. */
const lookMs = 10;

/** What the acceptor counts, and what it holds. */
export interface HttpDoorStatus extends Readonly<HttpAcceptorCounters> {
  readonly open: number;
}

/**
 * Where heddle replicas come in that can send nothing but requests: under `/heddle/1/`, on the port of
 * everybody else. A session is a connection: it passes the same checks as an upgrade, and is counted with it.
 */
export class HttpDoor {
  readonly #options: HttpDoorOptions;
  readonly #acceptor: HttpAcceptor;
  /** Who was let in, until the session is a connection. */
  readonly #admitted = new WeakMap<IncomingMessage, Stranger>();

  constructor(options: HttpDoorOptions) {
    this.#options = options;
    const { environment, limits, access, onPeer } = options;
    this.#acceptor = new HttpAcceptor({
      environment,
      admit: (request) => this.#admit(request),
      isOriginAllowed: (origin) => this.#isOriginAllowed(origin, access),
      onConnection: (connection, request) => onPeer(connection, this.#admitted.get(request)!),
      onLimit: (limit) => countLimit(options.counters, limit),
      limits: {
        sessionsMax: limits.httpSessionsMax,
        // The address book has them, with the WebSockets.
        sessionsPerAddressMax: Infinity,
        requestMsMax: limits.requestMsMax,
        idleMs: limits.httpIdleMs,
      },
    });
  }

  get status(): HttpDoorStatus {
    return { ...this.#acceptor.counters, open: this.#acceptor.sessionCount };
  }

  /** False when the request is for something else. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#acceptor.handle(request, response);
  }

  /** Waits until everybody has come for their goodbye, and lets go of who has not after `waitMs`. */
  async stop(waitMs: number): Promise<void> {
    const { clock } = this.#options.environment;
    const untilMs = clock.monotonicMs() + waitMs;
    while (this.#acceptor.sessionCount > 0 && clock.monotonicMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    if (this.#acceptor.sessionCount === 0) return;
    countLimit(this.#options.counters, "lastWordsMs");
    this.#acceptor.stop();
  }

  #admit(request: IncomingMessage): number | (() => void) {
    const { access, door, overloadedBy } = this.#options;
    const refuse = (status: number, limit?: RelayLimit): number => {
      door.countRefused(limit);
      return status;
    };
    if (!isTokenRight(bearerOf(request), access)) return refuse(401);
    const exceeded = overloadedBy();
    if (exceeded) return refuse(503, exceeded);
    const admitted = door.admit(request);
    if ("status" in admitted) return refuse(admitted.status, admitted.limit);
    this.#admitted.set(request, admitted);
    return admitted.leave;
  }

  #isOriginAllowed(origin: string, access: RelayAccess): boolean {
    if (isOriginAllowed(origin, access)) return true;
    const { counters, environment, door } = this.#options;
    counters.originsRefused++;
    door.countRefused();
    environment.logger.info("connection.origin_refused", { origin });
    return false;
  }
}

function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
}
