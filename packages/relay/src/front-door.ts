import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Environment } from "@heddle/core";

import type { AddressBook } from "./address-book.ts";
import { isOriginAllowed } from "./admission.ts";
import { addressOf, parseAddress, type ClientAddress } from "./client-address.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";
import type { RelayAccess } from "./relay-options.ts";

/** Somebody of whom nothing is known but where they come from. */
export interface Stranger {
  /** `undefined` where bounds of one address do not apply. */
  readonly address: string | undefined;
  /** Number of the connection that may come of it: what its log lines are found by. */
  readonly id: number;
}

/** Why a request does not become a connection. */
export interface Refusal {
  readonly status: number;
  readonly limit?: RelayLimit;
}

/** A request to become a WebSocket that nothing speaks against so far. */
export interface Knock extends Stranger {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface FrontDoorOptions {
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly addresses: AddressBook;
  readonly access: RelayAccess;
  readonly trustProxy: boolean;
  readonly isDraining: () => boolean;
  /** A request that is no knock: for a page, or of a session over HTTP. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onKnock: (knock: Knock) => void;
  /** A page of an origin that may not come in; where nobody answers it, it gets 403. */
  readonly onForeignPage?: ((knock: Knock) => void) | undefined;
  /**
   * Whether a request to come in shows what it takes. Where this is given, those that do not share bounds of
   * their own at each address: strangers at the address of somebody who is known use up nothing of theirs.
   */
  readonly isKnown?: ((request: IncomingMessage) => boolean) | undefined;
}

/** Pages are fetched over a few sockets beside the WebSocket, so a browser needs more than one each. */
const socketsPerConnection = 2;
/** How often Node looks for requests that take too long. */
const timeoutCheckMs = 500;

/**
 * The HTTP side of the relay: what is decided before there is a connection, and so at a cost that does
 * not depend on what the stranger sends.
 */
export class FrontDoor {
  readonly server: Server;
  readonly #options: FrontDoorOptions;
  readonly #sockets = new Map<string, number>();
  #knocks = 0;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    const { limits, counters } = options;
    this.server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.upgradeMsMax,
        // Behind the bound of whoever reads the body, for bodies that nobody reads.
        requestTimeout: Math.max(limits.upgradeMsMax, limits.requestMsMax + timeoutCheckMs),
        connectionsCheckingInterval: timeoutCheckMs,
      },
      (request, response) => this.#request(request, response),
    );
    // One more than allowed, so that too many can be told from just enough.
    this.server.maxHeadersCount = limits.headersMax + 1;
    this.server.maxConnections = limits.connectionsMax;
    this.server.timeout = limits.idleSocketMsMax;
    this.server.on("timeout", (socket: Socket) => {
      countLimit(counters, "idleSocketMsMax");
      socket.destroy();
    });
    this.server.on("drop", () => countLimit(counters, "connectionsMax"));
    this.server.on("connection", (socket: Socket) => this.#accept(socket));
    this.server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      this.#answerError(error, socket);
    });
    this.server.on("upgrade", (request, socket, head) => this.#upgrade({ request, socket, head }));
  }

  /** Answers a request that cannot become a connection. */
  refuse(socket: Duplex, status: number, limit?: RelayLimit): void {
    this.countRefused(limit);
    const retry = status === 429 || status === 503 ? "Retry-After: 5\r\n" : "";
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retry}Connection: close\r\n\r\n`;
    // Whoever does not hang up then would stay for ever.
    socket.once("finish", () => socket.destroy());
    socket.end(head);
  }

  countRefused(limit?: RelayLimit): void {
    const { counters } = this.#options;
    counters.upgradesRefused++;
    if (limit) countLimit(counters, limit);
  }

  /** What holds for every connection to be, over whatever it comes. `leave` is to be called at its end. */
  admit(request: IncomingMessage): Refusal | (Stranger & { readonly leave: () => void }) {
    const { addresses, environment, isDraining, isKnown = () => true, limits } = this.#options;
    const id = ++this.#knocks;
    if (isDraining()) return { status: 503 };
    if (request.rawHeaders.length / 2 > limits.headersMax) {
      return { status: 431, limit: "headersMax" };
    }
    const place = this.#boundedAddressOf(request);
    if (place === undefined) return { address: undefined, id, leave: () => undefined };
    const address = isKnown(request) ? place : `${place} unknown`;
    const limit = addresses.enter(address, environment.clock.monotonicMs());
    if (limit) return { status: limit === "addressesMax" ? 503 : 429, limit };
    return { address, id, leave: () => addresses.leave(address) };
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { addresses, environment, onRequest } = this.#options;
    const address = this.#boundedAddressOf(request);
    const limit = address && addresses.ask(address, environment.clock.monotonicMs());
    if (!limit) return onRequest(request, response);
    this.countRefused(limit);
    response.writeHead(limit === "addressesMax" ? 503 : 429, {
      "Retry-After": "5",
      Connection: "close",
      "Content-Length": "0",
    });
    response.end();
    return undefined;
  }

  /** Bounds the sockets of one address that have not said yet what they want. */
  #accept(socket: Socket): void {
    const { limits, trustProxy } = this.#options;
    const address = parseAddress(socket.remoteAddress);
    if (trustProxy || !this.#isBounded(address)) return;
    const count = (this.#sockets.get(address.text) ?? 0) + 1;
    this.#sockets.set(address.text, count);
    socket.once("close", () => {
      const left = (this.#sockets.get(address.text) ?? 1) - 1;
      if (left > 0) this.#sockets.set(address.text, left);
      else this.#sockets.delete(address.text);
    });
    if (count <= limits.connectionsPerAddressMax * socketsPerConnection) return;
    countLimit(this.#options.counters, "connectionsPerAddressMax");
    socket.destroy();
  }

  #upgrade({ request, socket, head }: Omit<Knock, keyof Stranger>): void {
    const { access, counters, environment, onKnock, onForeignPage } = this.#options;
    socket.on("error", () => {
      counters.socketErrors++;
    });
    const { origin } = request.headers;
    const isForeign = !isOriginAllowed(origin, access);
    if (isForeign) {
      counters.originsRefused++;
      environment.logger.info("connection.origin_refused", {
        connection: this.#knocks + 1,
        origin,
      });
    }
    if (isForeign && onForeignPage === undefined) {
      this.#knocks++;
      return this.refuse(socket, 403);
    }
    const admitted = this.admit(request);
    if ("status" in admitted) return this.refuse(socket, admitted.status, admitted.limit);
    const { address, id, leave } = admitted;
    socket.once("close", leave);
    const answer = isForeign ? onForeignPage! : onKnock;
    answer({ request, socket, head, address, id });
  }

  #answerError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const isTimeout = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
    if (!socket.writable) {
      socket.destroy();
    } else if (isTimeout) this.refuse(socket, 408, "upgradeMsMax");
    else if (isTooLarge) this.refuse(socket, 431, "headerBytesMax");
    else this.refuse(socket, 400);
  }

  #boundedAddressOf(request: IncomingMessage): string | undefined {
    const client = addressOf(request, this.#options.trustProxy);
    return this.#isBounded(client) ? client.text : undefined;
  }

  #isBounded({ isLocal }: ClientAddress): boolean {
    return this.#options.limits.limitLoopback || !isLocal;
  }
}
