import { HeddleErrorCode, type Environment, type HeddleError } from "@heddle/core";
import {
  PeerSet,
  type DialerChange,
  type DialerState,
  type PeerHost,
  type RunningPeerSource,
  type SpaceGround,
} from "@heddle/replica";
import type { Connection, Discovery, PeerKey, Sighting } from "@heddle/sync";

import { addressText } from "./address.ts";
import { announcedBy } from "./announcement-tags.ts";
import { BoundConnection } from "./bound-connection.ts";
import { DeviceAllowance } from "./device-allowance.ts";
import { shortFingerprint, type DeviceIdentity, type Fingerprint } from "./device-identity.ts";
import type { KnownAddresses } from "./known-addresses.ts";
import { LanAnnouncer } from "./lan-announcer.ts";
import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";
import { LanListener } from "./lan-listener.ts";
import { LanPeer, type LanPeerView, type OpenConnection } from "./lan-peer.ts";
import { lanTransport } from "./lan-transport.ts";
import { localAddresses, plainAddress } from "./own-hosts.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";
import { SpaceTrust } from "./space-trust.ts";
import type { StoreClaims } from "./store-claims.ts";

export interface LanPeersOptions {
  readonly host: PeerHost;
  readonly environment: Environment;
  readonly identity: DeviceIdentity;
  readonly paired: PairedDevices;
  readonly addresses: KnownAddresses;
  readonly stores: StoreClaims;
  readonly counters: LanCounters;
  /** Undefined: only addresses that are known are tried. */
  readonly discovery: Discovery | undefined;
  readonly listenHost?: string | undefined;
  readonly port: number;
  readonly onChange: (peer: string, change: DialerChange) => void;
  /** Undefined in the open space. */
  readonly space: SpaceGround | undefined;
}

const silenceMs = 15_000;

/**
 * Keeps one session with every paired device that can be found. Of two devices the one with the lower
 * fingerprint dials at once and the other one a little later, so that mostly one of them does; should both
 * do, both keep the same connection.
 */
export class LanPeers implements RunningPeerSource {
  readonly #options: LanPeersOptions;
  readonly #peers = new Map<Fingerprint, LanPeer>();
  readonly #announcer: LanAnnouncer;
  #listener: LanListener | undefined;
  #network = interfaceStamp();
  #searchedMs = 0;
  #cancelWatch: (() => void) | undefined;
  #trust: SpaceTrust | undefined;
  #isOnline = true;
  #isStopped = false;

  private constructor(options: LanPeersOptions) {
    this.#options = options;
    const { discovery, identity, environment } = options;
    this.#searchedMs = environment.clock.monotonicMs();
    this.#announcer = new LanAnnouncer({
      discovery,
      identity,
      logger: environment.logger,
      onSeen: (sighting) => this.#seen(sighting),
      onGone: (gone) => this.#gone(gone),
    });
  }

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` when nobody can listen there. */
  static async start(options: LanPeersOptions): Promise<LanPeers> {
    const peers = new LanPeers(options);
    const { identity, paired, stores, counters, environment, port, listenHost } = options;
    peers.#listener = await LanListener.start({
      identity,
      paired,
      counters,
      port,
      silenceMs,
      host: listenHost,
      scheduler: environment.scheduler,
      admitStore: (device, store) => stores.admit(device, store),
      onConnection: (connection, device) => peers.#accept(connection, device),
    });
    const { space } = options;
    if (space) {
      const parts = { space, paired, environment };
      peers.#trust = new SpaceTrust(parts, () => peers.pairedChanged());
    }
    peers.#review();
    peers.#announce();
    peers.#watch();
    return peers;
  }

  get port(): number {
    return this.#listener!.port;
  }

  /** Why nobody can be looked for, if it is so. */
  get trouble(): HeddleError | undefined {
    return this.#announcer.trouble;
  }

  get view(): readonly LanPeerView[] {
    return [...this.#peers.values()].map((peer) => {
      const { addresses, stores } = this.#options;
      const { fingerprint } = peer.device;
      return peer.viewWith(addresses.of(fingerprint).map(addressText), stores.claimOf(fingerprint));
    });
  }

  get states(): ReadonlyMap<string, DialerState> {
    return new Map(
      [...this.#peers.values()].map((peer) => {
        const state = peer.open.length > 0 ? ({ name: "live" } as const) : peer.dialing;
        return [nameOf(peer.device), state ?? { name: "idle" }];
      }),
    );
  }

  nameOf(key: PeerKey): string | undefined {
    const found = [...this.#peers.values()].find((peer) => peer.isAt(key));
    return found && nameOf(found.device);
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    for (const { dialer } of this.#peers.values()) dialer?.setOnline(isOnline);
  }

  retryNow(): void {
    for (const { dialer } of this.#peers.values()) dialer?.retryNow();
    this.#announcer.search();
  }

  /** Somebody paired or revoked a device: looked at now, and not at the next second. */
  pairedChanged(): void {
    this.#options.paired.refresh();
    this.#review();
    this.#announce();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelWatch?.();
    await this.#trust?.stop();
    for (const peer of this.#peers.values()) this.#letGo(peer, HeddleErrorCode.sessionClosed);
    await this.#announcer.stop();
    await this.#listener?.close();
    const { addresses, stores } = this.#options;
    await Promise.all([addresses.flush(), stores.flush()]);
  }

  #watch(): void {
    const { environment, paired } = this.#options;
    this.#cancelWatch = environment.scheduler.after(lanLimits.watchMs, () => {
      this.#watch();
      this.#trust?.review();
      const isNetworkNew = this.#network !== interfaceStamp();
      if (isNetworkNew) this.#networkChanged();
      if (paired.refresh()) this.#review();
      else if (!isNetworkNew) return this.#searchIfDue();
      this.#announce();
    });
  }

  #searchIfDue(): void {
    const nowMs = this.#nowMs;
    const isAnybodyMissing = [...this.#peers.values()].some(({ open }) => open.length === 0);
    if (!isAnybodyMissing || nowMs - this.#searchedMs < lanLimits.searchMs) return;
    this.#searchedMs = nowMs;
    this.#announcer.search();
  }

  /** What went over an address that is gone is over, although no socket says so. */
  #networkChanged(): void {
    this.#network = interfaceStamp();
    const here = new Set(localAddresses());
    for (const peer of this.#peers.values()) {
      for (const each of peer.open) {
        const isGone = each.local !== undefined && !here.has(plainAddress(each.local));
        if (isGone) this.#close(peer, each, HeddleErrorCode.sessionClosed);
      }
      this.#consider(peer);
      peer.dialer?.retryNow();
    }
  }

  /** Whoever is no longer trusted is cut off; whoever is new is looked for. */
  #review(): void {
    const { paired, counters } = this.#options;
    for (const [fingerprint, peer] of this.#peers) {
      if (paired.trusted(fingerprint)) continue;
      counters.revokedClosed += peer.open.length;
      this.#letGo(peer, HeddleErrorCode.sessionRefused);
      this.#peers.delete(fingerprint);
    }
    for (const device of paired.allTrusted) this.#consider(this.#peerOf(device));
    this.#trust?.review();
  }

  #announce(): void {
    if (!this.#isStopped) this.#announcer.announce(this.port, this.#options.paired.allTrusted);
  }

  #seen({ instance, host, port, text }: Sighting): void {
    const { counters, paired, addresses } = this.#options;
    const device = announcedBy(text, paired.allTrusted);
    if (device === undefined) {
      counters.announcementsIgnored++;
      return;
    }
    counters.sightings++;
    const peer = this.#peerOf(device);
    peer.instance = instance;
    addresses.sighted(device.fingerprint, { host, port });
    this.#consider(peer);
    // Anybody can make an announcement: they make nobody dial faster than this.
    if (this.#nowMs - peer.retriedMs < lanLimits.watchMs) return;
    peer.retriedMs = this.#nowMs;
    peer.dialer?.retryNow();
  }

  /** Anybody can say goodbye in another one's name: where it was is tried last, and tried. */
  #gone(instance: string): void {
    const { addresses } = this.#options;
    for (const { device, instance: own } of this.#peers.values()) {
      const [first] = addresses.of(device.fingerprint);
      if (own === instance && first) addresses.doubted(device.fingerprint, first);
    }
  }

  #peerOf(device: PairedDevice): LanPeer {
    const known = this.#peers.get(device.fingerprint);
    if (known) {
      known.device = device;
      return known;
    }
    const { environment, counters } = this.#options;
    const peer = new LanPeer(device, new DeviceAllowance(environment, counters));
    this.#peers.set(device.fingerprint, peer);
    return peer;
  }

  #isOwnLower(peer: LanPeer): boolean {
    return this.#options.identity.fingerprint < peer.device.fingerprint;
  }

  /** Dials, waits or leaves it, as the connections and addresses of the device are now. */
  #consider(peer: LanPeer): void {
    const isDue = peer.open.length === 0 && peer.dialer === undefined && !this.#isStopped;
    if (peer.open.some(({ side }) => side === "accepted")) this.#stopDialing(peer);
    if (!isDue || this.#options.addresses.of(peer.device.fingerprint).length === 0) return;
    // Without discovery the other one may not know where this one is.
    const isFirst = this.#isOwnLower(peer) || this.#options.discovery === undefined;
    if (isFirst) return this.#dial(peer);
    peer.cancelPatience ??= this.#options.environment.scheduler.after(
      lanLimits.dialPatienceMs,
      () => {
        peer.cancelPatience = undefined;
        const isWanted = this.#peers.get(peer.device.fingerprint) === peer;
        const isMissing = peer.open.length === 0 && peer.dialer === undefined;
        if (isWanted && isMissing && !this.#isStopped) this.#dial(peer);
      },
    );
  }

  #dial(peer: LanPeer): void {
    const { host, environment, identity, paired, addresses, counters, onChange } = this.#options;
    const { stores } = this.#options;
    const { fingerprint } = peer.device;
    const transport = lanTransport({
      identity,
      counters,
      silenceMs,
      expected: fingerprint,
      admitStore: (device, store) => stores.admit(device, store),
      isTrusted: () => paired.trusted(fingerprint) !== undefined,
      addresses: () => addresses.of(fingerprint).slice(0, lanLimits.addressesPerDeviceMax),
      scheduler: environment.scheduler,
      onReached: (address) => addresses.reached(fingerprint, address),
      onWrongDevice: (address, shown) => {
        addresses.wrong(fingerprint, address);
        const other = paired.trusted(shown);
        if (!other || other.fingerprint === fingerprint) return;
        addresses.sighted(other.fingerprint, address);
        this.#consider(this.#peerOf(other));
      },
    });
    const watched = {
      name: transport.name,
      dial: async (signal: Parameters<typeof transport.dial>[0]) => {
        const connection = await transport.dial(signal);
        this.#opened(peer, connection, "dialed");
        return peer.allowance.meter(connection);
      },
    };
    const mayOpenNew = () => peer.allowance.mayOpenNew();
    const dialer: PeerSet = new PeerSet({
      host,
      environment,
      targets: [{ name: nameOf(peer.device), transport: watched, mayOpenNew }],
      onChange: (name, change) => {
        const isUp = change.state.name === "greeting" || change.state.name === "live";
        if (!isUp) peer.open = peer.open.filter(({ side }) => side !== "dialed");
        onChange(name, change);
      },
    });
    peer.dialer = dialer;
    if (!this.#isOnline) dialer.setOnline(false);
    dialer.start();
  }

  #accept(connection: Connection, device: PairedDevice): void {
    const peer = this.#peerOf(device);
    this.#opened(peer, connection, "accepted");
    let isOver = false;
    // It may end before there is a key: the host may not be ready.
    let key: PeerKey | undefined = undefined;
    key = this.#options.host.connect(peer.allowance.meter(connection), "acceptor", {
      mayOpenNew: () => peer.allowance.mayOpenNew(),
      onLive: () => (peer.isRefusedThere = false),
      onEnded: ({ code }) => {
        isOver = true;
        peer.isRefusedThere = code === HeddleErrorCode.sessionRefused;
        if (key !== undefined) peer.accepted.delete(key);
        peer.open = peer.open.filter((each) => each.connection !== connection);
        if (this.#peers.get(device.fingerprint) === peer) this.#consider(peer);
      },
    });
    if (key !== undefined && !isOver) peer.accepted.add(key);
    this.#consider(peer);
  }

  #opened(peer: LanPeer, connection: Connection, side: OpenConnection["side"]): void {
    const isBound = connection instanceof BoundConnection;
    const { localAddress: local, remoteAddress: remote } = isBound ? connection : {};
    peer.open = [...peer.open, { connection, local, remote, side, sinceMs: this.#nowMs }];
    for (const each of peer.superfluous(this.#isOwnLower(peer))) {
      this.#close(peer, each, HeddleErrorCode.sessionClosed);
    }
  }

  #close(peer: LanPeer, each: OpenConnection, code: HeddleErrorCode): void {
    peer.open = peer.open.filter((other) => other !== each);
    each.connection.close(code);
  }

  #stopDialing(peer: LanPeer): void {
    peer.cancelPatience?.();
    peer.cancelPatience = undefined;
    peer.dialer?.stop();
    peer.dialer = undefined;
  }

  #letGo(peer: LanPeer, code: HeddleErrorCode): void {
    // The dialer comes last: when it stops, what it had dialed is taken for gone, and nobody would close it.
    for (const each of peer.open) this.#close(peer, each, code);
    this.#stopDialing(peer);
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }
}

/** Two devices may have one name. */
export function nameOf({ name, fingerprint }: PairedDevice): string {
  return `${name} (${shortFingerprint(fingerprint)})`;
}

/** Another one when an address of this machine comes or goes. */
function interfaceStamp(): string {
  return localAddresses().join(" ");
}
