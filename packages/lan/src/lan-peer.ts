import type { DialerState, PeerSet } from "@heddle/replica";
import type { Connection, PeerKey } from "@heddle/sync";

import type { DeviceAllowance } from "./device-allowance.ts";
import { plainAddress } from "./own-hosts.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { StoreHolder } from "./store-claims.ts";

/** A paired device, for people to look at. */
export interface LanPeerView {
  readonly device: PairedDevice;
  readonly state: "connected" | DialerState["name"] | "not found";
  /** The best first: `host:port`, or the host alone where no more is known. */
  readonly addresses: readonly string[];
  /** Whose store it claims: its sessions are refused until one of the two is revoked. */
  readonly claims?: StoreHolder | undefined;
}

/** One connection to a device, and since when it is open (monotonic). */
export interface OpenConnection {
  readonly connection: Connection;
  /** Addresses of this machine, and of the other one. */
  readonly local: string | undefined;
  readonly remote: string | undefined;
  readonly side: "dialed" | "accepted";
  readonly sinceMs: number;
}

/** Two that were made within so long of each other were dialed from both sides at once. */
const atOnceMs = 2_000;

/** A device that is trusted, and how it is reached at this moment. */
export class LanPeer {
  device: PairedDevice;
  readonly allowance: DeviceAllowance;
  /** Of sessions that it began; those that were dialed, the dialer knows. */
  readonly accepted = new Set<PeerKey>();
  /** The newest is the last. */
  open: readonly OpenConnection[] = [];
  /** Looks for it; there is none while it is connected, or nobody knows where it could be. */
  dialer: PeerSet | undefined;
  /** The last session that it began it ended itself, as it does not want this device. */
  isRefusedThere = false;
  cancelPatience: (() => void) | undefined;
  /** Its announcement, and what of it is worth no second look. */
  instance: string | undefined;
  retriedMs = -Infinity;

  constructor(device: PairedDevice, allowance: DeviceAllowance) {
    this.device = device;
    this.allowance = allowance;
  }

  isAt(key: PeerKey): boolean {
    return this.accepted.has(key) || this.dialer?.nameOf(key) !== undefined;
  }

  /** @param known where it may be, as `host:port`. */
  viewWith(known: readonly string[], claims: StoreHolder | undefined): LanPeerView {
    const { device, open, dialing, isRefusedThere } = this;
    let state: LanPeerView["state"] = dialing?.name ?? (isRefusedThere ? "refused" : "not found");
    if (open.length > 0) state = "connected";
    // It comes back again and again, and is connected for as long as its greeting takes.
    if (claims) state = "refused";
    // Of one that came by itself, at least the machine is known.
    const seen = open.flatMap(({ remote }) => (remote === undefined ? [] : [plainAddress(remote)]));
    const addresses = known.length > 0 ? known : seen;
    return { device, state, addresses, claims };
  }

  get dialing(): DialerState | undefined {
    return this.dialer && [...this.dialer.states.values()][0];
  }

  /**
   * Connections that another one replaces. The newest is the one that works: an older one may lead to
   * where the device was. Of two that were dialed at once both sides keep the same: what the device with
   * the lower fingerprint dialed.
   */
  superfluous(isOwnLower: boolean): readonly OpenConnection[] {
    const newest = this.open.at(-1);
    if (newest === undefined) return [];
    const wanted = isOwnLower ? "dialed" : "accepted";
    const atOnce = this.open.filter(({ sinceMs }) => newest.sinceMs - sinceMs < atOnceMs);
    const kept = atOnce.findLast(({ side }) => side === wanted) ?? newest;
    return this.open.filter((each) => each !== kept);
  }
}
