import type { Environment } from "@heddle/core";
import { PeerMeter, TokenBucket, type PeerRateName, type Rate } from "@heddle/replica";
import type { Connection } from "@heddle/sync";

import type { AddressBook } from "./address-book.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";

export interface MeteredPeerOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler">;
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  readonly addresses: AddressBook;
  readonly address: string;
}

const limitOf: Readonly<Record<PeerRateName, RelayLimit>> = {
  bytes: "peerBytesPerSecond",
  frames: "peerFramesPerSecond",
  asks: "peerAsksPerAddressPerSecond",
  debt: "rateDebtMsMax",
};

/** The connection of a stranger, held to the rates of a relay: asks count for all of an address. */
export function meteredPeer(connection: Connection, options: MeteredPeerOptions): PeerMeter {
  const { environment, limits, counters, addresses, address } = options;
  const newBucket = (rate: Rate) => new TokenBucket(rate, environment.clock.monotonicMs());
  return new PeerMeter(connection, {
    environment,
    rates: {
      bytes: newBucket({ perSecond: limits.peerBytesPerSecond, burst: limits.peerBytesBurst }),
      frames: newBucket({ perSecond: limits.peerFramesPerSecond, burst: limits.peerFramesBurst }),
      debtMsMax: limits.rateDebtMsMax,
    },
    asks: {
      charge: (count, nowMs) => addresses.chargeAsks(address, count, nowMs),
      debtMs: (nowMs) => addresses.asksDebtMs(address, nowMs),
    },
    onOver: (rate) => {
      countLimit(counters, limitOf[rate]);
      if (rate !== "debt") counters.readsPaused++;
    },
  });
}
