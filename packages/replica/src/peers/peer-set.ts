import type { Environment } from "@heddle/core";
import type { PeerKey, Transport } from "@heddle/sync";

import { PeerDialer, type PeerRetry } from "./peer-dialer.ts";
import type { DialerChange, DialerState } from "./dialer-state.ts";
import type { PeerHost } from "./peer-host.ts";
import { PeerWatch } from "./peer-watch.ts";

/** A peer that this replica keeps a connection to. */
export interface PeerTarget {
  /** For log lines, labels and people; without secrets. */
  readonly name: string;
  readonly transport: Transport;
  /** Whether it may bring one more document of which nothing is here. Yes where it is not said. */
  readonly mayOpenNew?: () => boolean;
  /** How it is tried again, where that is not as always. */
  readonly retry?: PeerRetry;
}

/** The peers that a connection is kept to. */
export interface PeerSetOptions {
  readonly host: PeerHost;
  readonly environment: Environment;
  readonly targets: readonly PeerTarget[];
  /** Told of each step of each connection, by the name of the peer. */
  readonly onChange?: (name: string, change: DialerChange) => void;
}

/** The peers that this replica looks for by itself; a failing one costs the others nothing. */
export class PeerSet {
  readonly #options: PeerSetOptions;
  readonly #dialers: ReadonlyMap<string, PeerDialer>;
  readonly #keys = new Map<PeerKey, string>();

  constructor(options: PeerSetOptions) {
    this.#options = options;
    this.#dialers = new Map(options.targets.map((target) => [target.name, this.#dialerOf(target)]));
  }

  start(): void {
    for (const dialer of this.#dialers.values()) dialer.start();
  }

  stop(): void {
    for (const dialer of this.#dialers.values()) dialer.stop();
  }

  /** What the platform knows of the network: offline nothing is dialed, and nothing fails. */
  setOnline(isOnline: boolean): void {
    for (const dialer of this.#dialers.values()) dialer.setOnline(isOnline);
  }

  /** Dials at once what waits or was refused. */
  retryNow(): void {
    for (const dialer of this.#dialers.values()) dialer.retryNow();
  }

  get states(): ReadonlyMap<string, DialerState> {
    return new Map([...this.#dialers].map(([name, { state }]) => [name, state]));
  }

  /** The peer that was dialed for this session; `undefined` for one that came by itself. */
  nameOf(key: PeerKey): string | undefined {
    return this.#keys.get(key);
  }

  get dialers(): ReadonlyMap<string, PeerDialer> {
    return this.#dialers;
  }

  #dialerOf({ name, transport, mayOpenNew, retry }: PeerTarget): PeerDialer {
    const { host, environment, onChange } = this.#options;
    const watch = new PeerWatch({ name, environment });
    return new PeerDialer({
      transport,
      ...(retry && { retry }),
      environment,
      onConnected: ({ connection, live, ended }) => {
        // It may have ended before there is a key: the host may not be ready.
        let key: PeerKey | undefined = undefined;
        key = host.connect(connection, "initiator", {
          ...(mayOpenNew && { mayOpenNew }),
          onLive: () => live(),
          onEnded: ({ closeCode }) => {
            if (key !== undefined) this.#keys.delete(key);
            ended(closeCode);
          },
        });
        if (key !== undefined) this.#keys.set(key, name);
      },
      onChange: (change) => {
        watch.changed(change);
        onChange?.(name, change);
      },
    });
  }
}
