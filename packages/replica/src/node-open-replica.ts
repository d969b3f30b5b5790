import path from "node:path";

import type { Environment, Logger, LogStore, Signer } from "@heddle/core";

import { noteDevice, type DeviceRecord } from "./device-record.ts";
import type { DriftTimes } from "./drift/drift-options.ts";
import type { LiveReplica } from "./live/live-replica.ts";
import {
  ephemeralDeviceKey,
  nodeEnvironment,
  nodeVerifier,
  openDeviceKey,
} from "./node-environment.ts";
import { readSpaceFile } from "./node-space-file.ts";
import { openLiveReplica } from "./open-live-replica.ts";
import type { PeerTarget } from "./peers/peer-set.ts";
import type { PeerSource } from "./peers/peer-source.ts";
import type { ReplicaOptions } from "./replica-options.ts";

/** Opens a store, as `levelStore(folder)` of `@heddle/storage-level` makes one. */
export interface StoreOpener {
  /** Where the store is kept; the device key is kept beside it. */
  readonly directory?: string | undefined;
  open(environment: Environment): Promise<LogStore & Partial<DeviceRecord>>;
}

/** The store, and what a replica in Node does beyond it. */
export interface OpenReplicaOptions extends Partial<Omit<ReplicaOptions, "store" | "environment">> {
  /** One that is opened here is closed with the replica; one that is handed in open is not. */
  readonly store: StoreOpener | LogStore;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Peers to keep a connection to, all of them; and sources that find them, as `lan()` does. */
  readonly peers?: readonly (PeerTarget | PeerSource)[];
  /** When documents are compared with their logs and with peers, and how long is waited for what. */
  readonly drift?: Partial<DriftTimes>;
  /** Bring over everything that peers have, and not only the documents that were opened here. */
  readonly follow?: boolean;
}

/** Of a store with a folder; the same as a relay's. */
const deviceKeyName = "device-key.pem";
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * Opens a replica in this process: recovers what a crash left behind, and only then returns. The device
 * key is made on first open.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` as the store does; `..._CORRUPT` also when the file of the
 * device key holds none.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<LiveReplica> {
  const { store: given, logger = silent, peers, follow = false, ...rest } = options;
  const targets = peers?.filter((peer): peer is PeerTarget => "transport" in peer);
  const sources = peers?.filter((peer): peer is PeerSource => "start" in peer);
  const environment = nodeEnvironment(logger);
  const isOpener = "open" in given;
  const store = isOpener ? await given.open(environment) : given;
  const release = isOpener ? () => store.close() : undefined;
  const directory = isOpener ? given.directory : undefined;
  try {
    const signer = rest.signer ?? (await signerIn(directory));
    // A key that was made for this process is another one each time.
    if (!rest.signer && directory !== undefined) await noteDevice(store, signer);
    const genesis = rest.genesis ?? (directory && (await readSpaceFile(directory))) ?? undefined;
    const own = { ...rest, ...(genesis && { genesis }) };
    const parts = { ...own, environment, store, signer, verifier: nodeVerifier, release };
    // A key that was handed in is not ours to lend.
    const isKeyHere = rest.signer === undefined && directory !== undefined;
    const deviceKeyFile = isKeyHere ? deviceKeyFileIn(directory) : undefined;
    const places = { directory, deviceKeyFile };
    return await openLiveReplica({ ...parts, ...places, peers: targets, sources, follow });
  } catch (error) {
    await release?.();
    throw error;
  }
}

function signerIn(directory: string | undefined): Promise<Signer> {
  if (directory === undefined) return Promise.resolve(ephemeralDeviceKey());
  return openDeviceKey(deviceKeyFileIn(directory));
}

/** Where a data folder has the key of its device. */
export function deviceKeyFileIn(directory: string): string {
  return path.join(path.resolve(directory), deviceKeyName);
}
