import type { IncomingMessage, ServerResponse } from "node:http";

import { assert, HeddleErrorCode, toHex, type Environment } from "@heddle/core";
import {
  closeWordsOf,
  decodeHttpWords,
  httpSessionPattern,
  httpWire,
  type Connection,
  type TransportLimits,
} from "@heddle/sync";

import { answer, readBody } from "./http-messages.ts";
import { HttpSession, pollMsOf } from "./http-session.ts";

export interface HttpAcceptorOptions {
  readonly environment: Pick<Environment, "scheduler" | "random">;
  /** Where it is mounted; begins and ends with `/`. */
  readonly prefix?: string;
  readonly onConnection: (connection: Connection, request: IncomingMessage) => void;
  /**
   * Asked for each new session: the status to refuse it with (401, 403, 426, 429, 503), or what is to be
   * called when it is over.
   */
  readonly admit?: (request: IncomingMessage) => number | (() => void);
  /** A bound of {@link HttpAcceptorLimits} was reached. */
  readonly onLimit?: (limit: "httpSessionsMax" | "requestMsMax" | "httpIdleMs") => void;
  /** What sessions are counted by; `undefined` for who is not bounded. */
  readonly addressOf?: (request: IncomingMessage) => string | undefined;
  /** Pages of other origins that may ask: they need to be told so. */
  readonly isOriginAllowed?: (origin: string) => boolean;
  readonly limits?: Partial<HttpAcceptorLimits>;
  readonly connectionLimits?: Partial<TransportLimits>;
}

export interface HttpAcceptorLimits {
  readonly sessionsMax: number;
  readonly sessionsPerAddressMax: number;
  /** Until the body of a request is complete. */
  readonly requestMsMax: number;
  /** A session without a request under way is given up after so long. */
  readonly idleMs: number;
  /** How long a POST is kept while the host has paused. */
  readonly holdMsMax: number;
}

export interface HttpAcceptorCounters {
  opened: number;
  /** Sessions refused because of a limit. */
  full: number;
  /** Sessions refused by whoever decides. */
  refused: number;
  /** Requests for sessions that are not there, or that make no sense. */
  strays: number;
  /** Bodies that were too large, too slow, or cut off. */
  badBodies: number;
}

export const httpAcceptorLimits: HttpAcceptorLimits = {
  sessionsMax: 1_000,
  sessionsPerAddressMax: 20,
  requestMsMax: 10_000,
  idleMs: 15_000,
  holdMsMax: httpWire.holdMsMax,
};

/**
 * Takes connections of the HTTP transport: a request handler, to be put before the pages of a server.
 * What a session may hold is bounded by its connection, how many there are by process and by address.
 * Whoever knows a session's id speaks for it: 16 random bytes, over TLS where it matters.
 */
export class HttpAcceptor {
  readonly counters: HttpAcceptorCounters = {
    opened: 0,
    full: 0,
    refused: 0,
    strays: 0,
    badBodies: 0,
  };
  readonly #options: HttpAcceptorOptions;
  readonly #limits: HttpAcceptorLimits;
  readonly #prefix: string;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #byAddress = new Map<string, number>();

  constructor(options: HttpAcceptorOptions) {
    this.#options = options;
    this.#limits = { ...httpAcceptorLimits, ...options.limits };
    this.#prefix = options.prefix ?? httpWire.path;
    assert(/^\/(.*\/)?$/.test(this.#prefix), "a prefix begins and ends with a slash");
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** False when the request is for something else. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    if (!path.startsWith(this.#prefix)) return false;
    if (!this.#allowOrigin(request, response)) return true;
    const [collection, id = "", action = "", ...more] = path.slice(this.#prefix.length).split("/");
    if (collection !== "sessions" || more.length > 0) this.#stray(response);
    else if (id === "" && request.method === "POST") this.#open(request, response);
    else void this.#toSession(request, response, { id, action, query: new URLSearchParams(query) });
    return true;
  }

  /** Gives up every session. Goodbyes that nobody has come for are lost. */
  stop(): void {
    for (const session of this.#sessions.values()) {
      session.connection.failed(HeddleErrorCode.sessionClosed, "the acceptor stops");
    }
  }

  #open(request: IncomingMessage, response: ServerResponse): void {
    const { environment, addressOf, onConnection, onLimit, connectionLimits } = this.#options;
    const admitted = this.#options.admit?.(request) ?? (() => undefined);
    if (typeof admitted === "number") {
      this.counters.refused++;
      return answer(response, admitted);
    }
    const address = addressOf?.(request);
    const ofAddress = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0);
    const isFull = this.#sessions.size >= this.#limits.sessionsMax;
    if (isFull || ofAddress >= this.#limits.sessionsPerAddressMax) {
      this.counters.full++;
      if (isFull) onLimit?.("httpSessionsMax");
      admitted();
      return answer(response, isFull ? 503 : 429);
    }
    const id = toHex(environment.random.bytes(16));
    if (address !== undefined) this.#byAddress.set(address, ofAddress + 1);
    const { idleMs, holdMsMax } = this.#limits;
    const session = new HttpSession({
      scheduler: environment.scheduler,
      ...(connectionLimits && { limits: connectionLimits }),
      idleMs,
      holdMsMax,
      onIdle: () => onLimit?.("httpIdleMs"),
      onReleased: () => {
        this.#forget(id, address);
        admitted();
      },
    });
    this.#sessions.set(id, session);
    this.counters.opened++;
    answer(response, 201, id);
    onConnection(session.connection, request);
  }

  async #toSession(
    request: IncomingMessage,
    response: ServerResponse,
    { id, action, query }: { id: string; action: string; query: URLSearchParams },
  ): Promise<void> {
    const session = httpSessionPattern.test(id) ? this.#sessions.get(id) : undefined;
    if (session === undefined) return this.#stray(response);
    const number = Number(query.get("n"));
    switch (`${request.method} ${action}`) {
      case "POST up":
        session.begin(response);
        return this.#up(session, number, { request, response });
      case "GET down": {
        session.begin(response);
        const takes = query.get("take") !== "0";
        return session.down(number, response, { ms: pollMsOf(query.get("wait")), takes });
      }
      case "POST close":
        session.begin(response);
        return this.#close(session, { request, response });
      default:
        return this.#stray(response);
    }
  }

  async #up(session: HttpSession, number: number, { request, response }: Exchange): Promise<void> {
    if (!session.beginUp(number)) {
      session.fault("a request was lost or repeated");
      return answer(response, 410, faultText);
    }
    const body = await this.#read(request, httpWire.batchBytesMax);
    if (typeof body !== "string") return session.up(body, response);
    const code =
      body === "too-large" ? HeddleErrorCode.frameTooLarge : HeddleErrorCode.sessionTimeout;
    session.fault(`a request was ${body}`, code);
    return answer(response, body === "too-large" ? 413 : 408);
  }

  async #close(session: HttpSession, { request, response }: Exchange): Promise<void> {
    const body = await this.#read(request, closeBytesMax);
    const text = typeof body === "string" ? "" : new TextDecoder().decode(body);
    session.bye(decodeHttpWords(text), response);
  }

  async #read(request: IncomingMessage, bytesMax: number): ReturnType<typeof readBody> {
    const { scheduler } = this.#options.environment;
    const body = await readBody(request, { bytesMax, msMax: this.#limits.requestMsMax, scheduler });
    if (typeof body === "string") this.counters.badBodies++;
    if (body === "too-slow") this.#options.onLimit?.("requestMsMax");
    return body;
  }

  /** A page of another origin reads answers only when it is told that it may. */
  #allowOrigin(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return true;
    if (!(this.#options.isOriginAllowed?.(origin) ?? false)) {
      this.counters.refused++;
      answer(response, 403);
      return false;
    }
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Vary", "Origin");
    if (request.method !== "OPTIONS") return true;
    response.setHeader("Access-Control-Allow-Methods", "GET, POST");
    response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type");
    response.setHeader("Access-Control-Max-Age", "600");
    answer(response, 204);
    return false;
  }

  #stray(response: ServerResponse): void {
    this.counters.strays++;
    answer(response, 404);
  }

  #forget(id: string, address: string | undefined): void {
    this.#sessions.delete(id);
    if (address === undefined) return;
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const closeBytesMax = 512;
const { closeCode, text } = closeWordsOf(HeddleErrorCode.frameUnexpected);
const faultText = `${closeCode} ${text}`;
