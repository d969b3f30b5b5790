import { HeddleError, HeddleErrorCode } from "@heddle/core";
import {
  newConnectionCounters,
  type AbortSignalLike,
  type Connection,
  type Transport,
} from "@heddle/sync";
import { testEnvironment } from "@heddle/testkit";
import { expect } from "vitest";

import type { DialerChange } from "./dialer-state.ts";
import { PeerDialer, type DialedConnection, type PeerDialerOptions } from "./peer-dialer.ts";

/** What a transport does when it is asked to dial. */
export type Act =
  | "opens"
  | "fails"
  | "throws"
  /** Answers neither yes nor no, and does not hear that it is given up. */
  | "stalls"
  | "forbids";

/** Does what a script says. */
export class ScriptedTransport implements Transport {
  readonly name = "scripted";
  /** When each dial began, and what became of the signal. */
  readonly dialsMs: number[] = [];
  readonly signals: AbortSignalLike[] = [];
  readonly closed: string[] = [];
  act: Act;
  readonly #nowMs: () => number;
  readonly #stalled: ((connection: Connection) => void)[] = [];

  constructor(act: Act, nowMs: () => number) {
    this.act = act;
    this.#nowMs = nowMs;
  }

  dial(signal: AbortSignalLike): Promise<Connection> {
    this.dialsMs.push(this.#nowMs());
    this.signals.push(signal);
    switch (this.act) {
      case "opens":
        return Promise.resolve(this.#connection());
      case "fails":
        return Promise.reject(new HeddleError(HeddleErrorCode.sessionClosed, "nobody there"));
      case "throws":
        throw new TypeError("a transport with a mistake");
      case "stalls":
        return new Promise((resolve) => this.#stalled.push(resolve));
      case "forbids":
        return Promise.reject(new HeddleError(HeddleErrorCode.sessionRefused, "not you"));
      default:
        return this.act;
    }
  }

  /** Stalled dials give a connection after all. */
  wake(): void {
    for (const resolve of this.#stalled.splice(0)) resolve(this.#connection());
  }

  #connection(): Connection {
    return {
      bufferedBytes: 0,
      isCongested: false,
      counters: newConnectionCounters(),
      listen: () => {},
      send: () => {},
      pause: () => {},
      resume: () => {},
      close: (code) => this.closed.push(code),
    };
  }
}

/** A dialer in virtual time. */
export function bench(
  act: Act,
  seed: number | string = 1,
  options: Partial<PeerDialerOptions> = {},
) {
  const environment = testEnvironment(seed);
  const time = environment.clock;
  const transport = new ScriptedTransport(act, () => time.monotonicMs());
  const dialed: DialedConnection[] = [];
  const changes: (DialerChange & { readonly atMs: number })[] = [];
  const dialer = new PeerDialer({
    transport,
    environment,
    onConnected: (each) => dialed.push(each),
    onChange: (change) => changes.push({ ...change, atMs: time.monotonicMs() }),
    ...options,
  });
  const names = () => changes.map(({ state }) => state.name);
  return { dialer, transport, time, dialed, changes, names };
}

/** Lets what promises brought be done. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export type Bench = ReturnType<typeof bench>;

/** Moves on until the dialer has dialed `dials` times. */
export async function untilDials({ dialer, time }: Bench, dials: number): Promise<void> {
  for (let steps = 0; dialer.counters.dials < dials && steps < 10_000; steps++) {
    time.advance(50);
    await settled();
  }
  await settled();
  expect(dialer.counters.dials).toBe(dials);
}
