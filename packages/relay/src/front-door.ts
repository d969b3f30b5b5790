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

/** A request to become a WebSocket that nothing speaks against so far. */
export interface Knock {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** `undefined` where bounds of one address do not apply. */
  readonly address: string | undefined;
  /** Number of the connection that may come of it: what its log lines are found by. */
  readonly id: number;
}

export interface FrontDoorOptions {
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly addresses: AddressBook;
  readonly access: RelayAccess;
  readonly trustProxy: boolean;
  readonly isDraining: () => boolean;
  readonly onPage: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onKnock: (knock: Knock) => void;
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
    const { limits, counters, onPage } = options;
    this.server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.upgradeMsMax,
        requestTimeout: limits.upgradeMsMax,
        connectionsCheckingInterval: timeoutCheckMs,
      },
      onPage,
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
    const { counters } = this.#options;
    counters.upgradesRefused++;
    if (limit) countLimit(counters, limit);
    const retry = status === 429 || status === 503 ? "Retry-After: 5\r\n" : "";
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retry}Connection: close\r\n\r\n`;
    // Whoever does not hang up then would stay for ever.
    socket.once("finish", () => socket.destroy());
    socket.end(head);
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

  #upgrade({ request, socket, head }: Omit<Knock, "address" | "id">): void {
    const { access, addresses, counters, environment, isDraining, limits } = this.#options;
    socket.on("error", () => {
      counters.socketErrors++;
    });
    const { origin } = request.headers;
    const id = ++this.#knocks;
    if (isDraining()) return this.refuse(socket, 503);
    if (request.rawHeaders.length / 2 > limits.headersMax) {
      return this.refuse(socket, 431, "headersMax");
    }
    if (!isOriginAllowed(origin, access)) {
      counters.originsRefused++;
      environment.logger.info("connection.origin_refused", { connection: id, origin });
      return this.refuse(socket, 403);
    }
    const client = addressOf(request, this.#options.trustProxy);
    const address = this.#isBounded(client) ? client.text : undefined;
    if (address !== undefined) {
      const broken = addresses.enter(address, environment.clock.monotonicMs());
      if (broken) return this.refuse(socket, broken === "addressesMax" ? 503 : 429, broken);
      socket.once("close", () => addresses.leave(address));
    }
    this.#options.onKnock({ request, socket, head, address, id });
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

  #isBounded({ isLocal }: ClientAddress): boolean {
    return this.#options.limits.limitLoopback || !isLocal;
  }
}
