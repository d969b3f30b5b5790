import { HeddleError, HeddleErrorCode, isHeddleError, type Scheduler } from "@heddle/core/base";
import {
  attemptDial,
  codeOfStatus,
  httpSessionPattern,
  httpWire,
  transportLimits,
  type AbortSignalLike,
  type Connection,
  type Transport,
  type TransportLimits,
} from "@heddle/sync/connection";

import { HttpCarrier } from "./http-carrier.ts";
import { HttpExchange, type Fetch } from "./http-exchange.ts";
import { timerScheduler } from "./timer-scheduler.ts";

export type { Fetch, FetchAnswer, FetchInit } from "./http-exchange.ts";

/** Where an acceptor is, and how it is asked. */
export interface HttpTransportOptions {
  /** `http:` or `https:`; of an acceptor, for example `https://relay.example/heddle/1/`. */
  readonly url: string;
  /** `globalThis.fetch` by default. */
  readonly fetch?: Fetch;
  /** Asked for before each dial; travels in the `Authorization` header. */
  readonly token?: string | (() => string | Promise<string>);
  readonly scheduler?: Scheduler;
  readonly limits?: Partial<TransportLimits>;
  /** How long a poll waits at the acceptor for something to come. */
  readonly pollMs?: number;
  /** What an answer may take beyond that. */
  readonly graceMs?: number;
}

const defaultGraceMs = 10_000;

/**
 * Dials a relay with plain requests, for networks that let nothing else through: frames are posted up
 * and polled down. Keeps order. Resumes nothing: a request that is lost ends the connection, and the
 * protocol goes on over the next one. A relay that falls silent is noticed by the poll.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for an address that is none of HTTP.
 */
export function httpTransport(options: HttpTransportOptions): Transport {
  const base = parseBase(options.url);
  const scheduler = options.scheduler ?? timerScheduler;
  const limits = { ...transportLimits, ...options.limits };
  const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const pollMs = Math.min(options.pollMs ?? httpWire.pollMsMax, httpWire.pollMsMax);
  const graceMs = options.graceMs ?? defaultGraceMs;
  return {
    name: "http",
    async dial(signal: AbortSignalLike): Promise<Connection> {
      const about = { signal, scheduler, dialMsMax: limits.dialMsMax, target: base };
      return attemptDial<Connection>(about, (outcome) => {
        let exchange: HttpExchange | undefined;
        let isGivenUp = false;
        const open = async (): Promise<void> => {
          const token = typeof options.token === "function" ? await options.token() : options.token;
          if (isGivenUp) return;
          exchange = new HttpExchange({ base, fetch, scheduler, token });
          const path = await openSession(exchange, limits.dialMsMax);
          if (isGivenUp) return;
          const settings = { exchange, path, pollMs, graceMs, scheduler, limits };
          outcome.opened(new HttpCarrier(settings).connection);
        };
        open().catch((error: unknown) => outcome.failed(errorOf(error)));
        return () => {
          isGivenUp = true;
          exchange?.abortAll();
        };
      });
    },
  };
}

async function openSession(exchange: HttpExchange, msMax: number): Promise<string> {
  const { status, body } = await exchange.request({ path: "sessions", msMax });
  if (status !== 201) {
    throw new HeddleError(codeOfStatus(status), `the acceptor answers ${status}`);
  }
  const session = new TextDecoder().decode(body);
  if (httpSessionPattern.test(session)) return `sessions/${session}/`;
  throw new HeddleError(HeddleErrorCode.protocolVersion, "the peer is no acceptor of heddle.1");
}

function errorOf(reason: unknown): HeddleError {
  if (isHeddleError(reason)) return reason;
  return new HeddleError(HeddleErrorCode.sessionClosed, "the dial failed", { cause: reason });
}

function parseBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.hash === "" && url.search === "") {
    return url.href.endsWith("/") ? url.href : `${url.href}/`;
  }
  throw new HeddleError(HeddleErrorCode.configInvalid, `${text} is no address of an acceptor`);
}
