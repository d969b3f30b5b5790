import {
  HeddleError,
  HeddleErrorCode,
  toHex,
  type Random,
  type Scheduler,
} from "@heddle/core/base";
import {
  attemptDial,
  transportLimits,
  type AbortSignalLike,
  type Connection,
  type Transport,
  type TransportLimits,
} from "@heddle/sync/connection";

import { BroadcastChannelCarrier } from "./broadcast-channel-carrier.ts";
import {
  pairName,
  readPairingMessage,
  type BroadcastChannelConstructor,
  type PairingMessage,
} from "./broadcast-channel-like.ts";
import { platformRandom } from "./platform-random.ts";
import { timerScheduler } from "./timer-scheduler.ts";

export type {
  BroadcastChannelConstructor,
  BroadcastChannelLike,
} from "./broadcast-channel-like.ts";

/** For either end of a channel. */
export interface BroadcastChannelOptions {
  /** Who uses the same name finds each other: pages of one origin, threads of one process. */
  readonly name: string;
  /** `globalThis.BroadcastChannel` by default. */
  readonly BroadcastChannel?: BroadcastChannelConstructor;
  readonly scheduler?: Scheduler;
  readonly random?: Random;
  readonly limits?: Partial<TransportLimits>;
  /** An end that answers nothing for so long is given up: a tab that was killed says no goodbye. */
  readonly silenceMs?: number;
}

/** The accepting end of a channel; see {@link acceptBroadcastChannel}. */
export interface BroadcastChannelAcceptor {
  readonly counters: Readonly<BroadcastChannelCounters>;
  /** Offers nothing more. Connections live on. */
  stop(): void;
}

/** What became of the dials that an acceptor heard. */
export interface BroadcastChannelCounters {
  /** Connections that came of it. */
  accepted: number;
  /** Offers that nobody took, for example because another acceptor was quicker. */
  expired: number;
  /** Messages of nobody who dials, and dials beyond the number of offers that may be open. */
  ignored: number;
}

const defaultSilenceMs = 15_000;
/** A dial is said again: the acceptor may come later than the dialer. */
const dialAgainMs = 250;
const offerMs = 2_000;
const offersMax = 64;

/**
 * Dials whoever accepts under the same name on this machine: other tabs of the origin, other threads of
 * the process. Keeps order. The two ends then have a channel of their own, so that no third one is
 * woken by what they say.
 */
export function broadcastChannelTransport(options: BroadcastChannelOptions): Transport {
  const { name, Channel, random, ...pair } = settingsOf(options);
  return {
    name: "broadcast-channel",
    async dial(signal: AbortSignalLike): Promise<Connection> {
      const about = { ...pair, signal, dialMsMax: pair.limits.dialMsMax, target: name };
      return attemptDial<Connection>(about, (outcome) => {
        const everybody = new Channel(name);
        const from = toHex(random.bytes(16));
        let cancel: (() => void) | undefined;
        const stop = () => {
          cancel?.();
          everybody.onmessage = null;
          everybody.close();
        };
        const knock = () => {
          post(everybody, { heddle: 1, kind: "dial", from });
          cancel = pair.scheduler.after(dialAgainMs, knock);
        };
        everybody.onmessage = ({ data }: { readonly data: unknown }) => {
          const message = readPairingMessage(data);
          if (message?.kind !== "offer" || message.to !== from) return;
          stop();
          const own = new Channel(pairName(name, from, message.from));
          const { connection } = new BroadcastChannelCarrier(own, pair);
          own.postMessage({ kind: "open" });
          outcome.opened(connection);
        };
        knock();
        return stop;
      });
    },
  };
}

/** Takes what is dialed under the name, until it is stopped. */
export function acceptBroadcastChannel(
  options: BroadcastChannelOptions,
  onConnection: (connection: Connection) => void,
): BroadcastChannelAcceptor {
  const { name, Channel, random, ...pair } = settingsOf(options);
  const everybody = new Channel(name);
  const acceptor = toHex(random.bytes(16));
  const counters: BroadcastChannelCounters = { accepted: 0, expired: 0, ignored: 0 };
  /** By dialer: how to take an offer back. */
  const offers = new Map<string, () => void>();
  const offer = (dialer: string) => {
    const own = new Channel(pairName(name, dialer, acceptor));
    const expire = () => {
      offers.delete(dialer);
      own.onmessage = null;
      own.close();
    };
    const cancel = pair.scheduler.after(offerMs, () => {
      counters.expired++;
      expire();
    });
    offers.set(dialer, () => {
      cancel();
      expire();
    });
    own.onmessage = () => {
      cancel();
      offers.delete(dialer);
      counters.accepted++;
      onConnection(new BroadcastChannelCarrier(own, pair).connection);
    };
  };
  everybody.onmessage = ({ data }: { readonly data: unknown }) => {
    const message = readPairingMessage(data);
    // Others' offers are none of our business, and nothing odd.
    if (message?.kind === "offer") return;
    if (message === undefined || (offers.size >= offersMax && !offers.has(message.from))) {
      counters.ignored++;
      return;
    }
    if (!offers.has(message.from)) offer(message.from);
    post(everybody, { heddle: 1, kind: "offer", from: acceptor, to: message.from });
  };
  return {
    counters,
    stop() {
      everybody.onmessage = null;
      everybody.close();
      for (const takeBack of offers.values()) takeBack();
    },
  };
}

function settingsOf(options: BroadcastChannelOptions) {
  return {
    name: options.name,
    Channel: options.BroadcastChannel ?? platformBroadcastChannel(),
    scheduler: options.scheduler ?? timerScheduler,
    random: options.random ?? platformRandom,
    limits: { ...transportLimits, ...options.limits },
    silenceMs: options.silenceMs ?? defaultSilenceMs,
  };
}

function post(channel: { postMessage(message: unknown): void }, message: PairingMessage): void {
  channel.postMessage(message);
}

function platformBroadcastChannel(): BroadcastChannelConstructor {
  const { BroadcastChannel } = globalThis as {
    readonly BroadcastChannel?: BroadcastChannelConstructor;
  };
  if (BroadcastChannel) return BroadcastChannel;
  const message = "this platform has no BroadcastChannel";
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
