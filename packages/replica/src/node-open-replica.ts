import path from "node:path";

import type { Environment, Logger, LogStore } from "@heddle/core";
import { PeerRole } from "@heddle/sync";

import { LiveReplica } from "./live/live-replica.ts";
import {
  ephemeralDeviceKey,
  nodeEnvironment,
  nodeVerifier,
  openDeviceKey,
} from "./node-environment.ts";
import { LivePeers } from "./peers/live-peers.ts";
import type { PeerHostOptions } from "./peers/peer-host-options.ts";
import { PeerHost } from "./peers/peer-host.ts";
import { PeerSet, type PeerTarget } from "./peers/peer-set.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import { Replica } from "./replica.ts";

/** Opens a store, as `levelStore(folder)` of `@heddle/storage-level` makes one. */
export interface StoreOpener {
  /** Where the store is kept; the device key is kept beside it. */
  readonly directory?: string | undefined;
  open(environment: Environment): Promise<LogStore>;
}

export interface OpenReplicaOptions extends Partial<
  Omit<ReplicaOptions, "store" | "environment" | "telemetry">
> {
  /** One that is opened here is closed with the replica; one that is handed in open is not. */
  readonly store: StoreOpener | LogStore;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Peers to keep a connection to, in the order of no preference: all of them. */
  readonly peers?: readonly PeerTarget[];
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
  const { store: given, logger = silent, peers: targets, follow = false, ...rest } = options;
  const environment = nodeEnvironment(logger);
  const isOpener = "open" in given;
  const store = isOpener ? await given.open(environment) : given;
  const release = isOpener ? () => store.close() : undefined;
  try {
    const directory = isOpener ? given.directory : undefined;
    const signer = rest.signer ?? (await signerIn(directory));
    const own = { store, environment, signer, engine: rest.engine ?? "heddle" };
    const replica = await Replica.open({ ...rest, ...own });
    const meeting = { ...own, replica, follow, adopt: follow };
    const peers = targets && (await meet(meeting, targets));
    return new LiveReplica({ replica, environment, release, peers });
  } catch (error) {
    await release?.();
    throw error;
  }
}

type Meeting = Omit<PeerHostOptions, "verifier" | "role" | "hasOutbox">;

async function meet(meeting: Meeting, targets: readonly PeerTarget[]): Promise<LivePeers> {
  const { environment, store } = meeting;
  const role = PeerRole.replica;
  const host = await PeerHost.open({ ...meeting, verifier: nodeVerifier, role, hasOutbox: true });
  const set = new PeerSet({ host, environment, targets });
  set.start();
  return new LivePeers({ host, set, reading: { store, environment } });
}

function signerIn(directory: string | undefined): Promise<ReplicaOptions["signer"]> {
  if (directory === undefined) return Promise.resolve(ephemeralDeviceKey());
  return openDeviceKey(path.join(path.resolve(directory), deviceKeyName));
}
