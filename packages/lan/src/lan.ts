import path from "node:path";

import { HeddleError, HeddleErrorCode, MemberRole, type Environment } from "@heddle/core";
import type { PeerGround, PeerSource, SpaceGround } from "@heddle/replica";
import { openDevicePrivateKey } from "@heddle/replica/node";
import type { Discovery } from "@heddle/sync";

import { parseAddress, type LanAddress } from "./address.ts";
import { bonjourDiscovery } from "./bonjour-discovery.ts";
import { identityOf, type DeviceIdentity, type Fingerprint } from "./device-identity.ts";
import { joinPairing } from "./join-pairing.ts";
import { keptName } from "./kept-name.ts";
import { KnownAddresses } from "./known-addresses.ts";
import { newLanCounters, type LanCounters } from "./lan-counters.ts";
import type { LanPeerView } from "./lan-peer.ts";
import { LanPeers } from "./lan-peers.ts";
import type { PairedDevice } from "./paired-device.ts";
import { PairedDevices } from "./paired-devices.ts";
import {
  startPairing,
  type Pairing,
  type PairingParty,
  type StartPairingOptions,
} from "./start-pairing.ts";
import { StoreClaims } from "./store-claims.ts";

export interface LanOptions {
  /** What this device calls itself to those that it is paired with; default: as before, or as the computer. */
  readonly name?: string;
  /** Default 0: a free one, which discovery tells. Needed where others are to name this device's address. */
  readonly port?: number;
  /** Address to listen on; default: all of this machine. */
  readonly host?: string;
  /** `host:port` of paired devices, for networks on which nobody can be discovered. */
  readonly addresses?: readonly string[];
  /** In place of multicast DNS; false: nobody is looked for and nothing is announced. */
  readonly discovery?: Discovery | false;
}

/** Peers on the local network: `openReplica({ store, peers: [lan()] })`. */
export interface Lan extends PeerSource {
  readonly counters: Readonly<LanCounters>;
  /** Paired devices and how they are reached; empty before the replica is open. */
  readonly peers: readonly LanPeerView[];
  /** Why nobody can be looked for, if it is so. */
  readonly trouble: HeddleError | undefined;
  /** Where this device listens; undefined before the replica is open. */
  readonly port: number | undefined;
  readonly identity: DeviceIdentity | undefined;
  /**
   * In a space the other device is granted `role`; by default write where this device is an admin.
   *
   * @throws HeddleError as `startPairing`; `HEDDLE_MEMBERSHIP_REFUSED` for a role when this device is no admin.
   */
  pair(options?: LanPairOptions): Promise<Pairing>;
  /** @throws HeddleError `HEDDLE_PAIRING_FAILED`, also where the other device is of another space. */
  join(link: string): Promise<PairedDevice>;
  /** From this moment on the device is a stranger, here; where this device is an admin of a space, it is removed. */
  revoke(fingerprint: Fingerprint): Promise<void>;
}

export type LanPairOptions = Pick<StartPairingOptions, "hosts" | "lifeMs" | "role">;

/** Folders of the LAN in a data folder. */
export function lanFolders(directory: string) {
  const folder = path.join(path.resolve(directory), "lan");
  return {
    paired: path.join(folder, "paired"),
    addresses: path.join(folder, "addresses.json"),
    stores: path.join(folder, "stores.json"),
    name: path.join(folder, "name"),
  };
}

/**
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for an address that is none.
 */
export function lan(options: LanOptions = {}): Lan {
  return new LanSource(options);
}

class LanSource implements Lan {
  readonly name = "lan";
  readonly counters = newLanCounters();
  readonly #options: LanOptions;
  readonly #fixed: readonly LanAddress[];
  #running: LanPeers | undefined;
  #party: PairingParty | undefined;
  #space: SpaceGround | undefined;

  constructor(options: LanOptions) {
    this.#options = options;
    this.#fixed = (options.addresses ?? []).map(addressOf);
  }

  get peers(): readonly LanPeerView[] {
    return this.#running?.view ?? [];
  }

  get trouble(): HeddleError | undefined {
    return this.#running?.trouble;
  }

  get port(): number | undefined {
    return this.#running?.port;
  }

  get identity(): DeviceIdentity | undefined {
    return this.#party?.identity;
  }

  async start(ground: PeerGround): Promise<LanPeers> {
    const { host, environment, directory, deviceKeyFile, onChange, space } = ground;
    if (directory === undefined || deviceKeyFile === undefined) {
      const message = "the LAN needs a store with a folder, and the device key that is kept in it";
      throw new HeddleError(HeddleErrorCode.configInvalid, message);
    }
    const { name, port = 0, discovery, host: listenHost } = this.#options;
    this.#space = space;
    const party = await openParty({ directory, deviceKeyFile, environment, name });
    this.#party = { ...party, genesis: space?.members.genesis.bytes };
    const { clock, logger } = environment;
    const { counters } = this;
    const { identity, paired } = this.#party;
    const folders = lanFolders(directory);
    this.#running = await LanPeers.start({
      host,
      environment,
      counters,
      listenHost,
      port,
      onChange,
      space,
      identity,
      paired,
      addresses: new KnownAddresses(folders.addresses, this.#fixed, logger),
      stores: new StoreClaims({
        file: folders.stores,
        own: host.storeId,
        paired,
        counters,
        logger,
      }),
      discovery:
        discovery === false ? undefined : (discovery ?? bonjourDiscovery({ clock, counters })),
    });
    return this.#running;
  }

  async pair(options: LanPairOptions = {}): Promise<Pairing> {
    if (options.role && this.#space && !this.#isAdmin) {
      const message = "only an admin of the space may grant a role";
      throw new HeddleError(HeddleErrorCode.membershipRefused, message);
    }
    const role = options.role ?? (this.#isAdmin ? "write" : undefined);
    const pairing = await startPairing({ ...this.#open(), ...options, role });
    // Whoever waits for it is told of a failure; here only a new device matters, and what follows from it is not caught.
    void pairing.done.then(
      () => this.#running?.pairedChanged(),
      () => undefined,
    );
    return pairing;
  }

  async join(link: string): Promise<PairedDevice> {
    const device = await joinPairing(link, this.#open());
    this.#running?.pairedChanged();
    return device;
  }

  async revoke(fingerprint: Fingerprint): Promise<void> {
    const { paired, environment } = this.#open();
    const wanted = this.#isAdmin ? "removed" : undefined;
    await paired.revoke(fingerprint, environment.clock.nowMs(), wanted);
    this.#running?.pairedChanged();
  }

  get #isAdmin(): boolean {
    return this.#space?.members.role === MemberRole.admin;
  }

  #open(): PairingParty {
    if (this.#party) return this.#party;
    throw new HeddleError(HeddleErrorCode.configInvalid, "the replica is not open");
  }
}

export interface PartyOptions {
  readonly directory: string;
  readonly deviceKeyFile: string;
  readonly environment: Environment;
  readonly name?: string | undefined;
}

/**
 * Who this device is to others, from its data folder; its key is made on first use.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` or `HEDDLE_STORAGE_IO` when its key cannot be read; `HEDDLE_STORAGE_IO`
 * when its name cannot be kept.
 */
export async function openParty(options: PartyOptions): Promise<PairingParty> {
  const { directory, deviceKeyFile, environment } = options;
  const folders = lanFolders(directory);
  const identity = identityOf(await openDevicePrivateKey(deviceKeyFile));
  const name = await keptName(folders.name, options.name);
  return { identity, paired: new PairedDevices(folders.paired), environment, name };
}

function addressOf(text: string): LanAddress {
  const address = parseAddress(text);
  if (address) return address;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `${text} is no address, as in 10.0.0.5:4711`,
  );
}
