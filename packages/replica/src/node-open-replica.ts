import path from "node:path";

import {
  HeddleError,
  HeddleErrorCode,
  type Environment,
  type Logger,
  type LogStore,
  type Signer,
} from "@heddle/core";
import type { ProjectionStore, SinkDefinition } from "@heddle/reconcile";

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
import { openLiveReplica, type LiveReplicaParts } from "./open-live-replica.ts";
import type { PeerTarget } from "./peers/peer-set.ts";
import type { PeerSource } from "./peers/peer-source.ts";
import { LogSource } from "./projections/log-source.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import { SinkHost } from "./sinks/sink-host.ts";

/** Opens a store, as `levelStore(folder)` of `@heddle/storage-level` makes one. */
export interface StoreOpener {
  /** Where the store is kept; the device key is kept beside it. */
  readonly directory?: string | undefined;
  open(environment: Environment): Promise<LogStore & Partial<DeviceRecord>>;
  /** Opens where sinks keep how far they have come, beside the store. */
  openProjections?(environment: Environment): Promise<ProjectionStore>;
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
  /** Whoever is handed each change that gets onto the disk: webhooks, queues. Needs a store that is opened here. */
  readonly sinks?: readonly SinkDefinition[];
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
 * device key holds none; `HEDDLE_CONFIG_INVALID` for sinks of a store that has no place for them.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<LiveReplica> {
  const { store: given, logger = silent, peers, follow = false, sinks = [], ...rest } = options;
  const targets = peers?.filter((peer): peer is PeerTarget => "transport" in peer);
  const sources = peers?.filter((peer): peer is PeerSource => "start" in peer);
  const environment = nodeEnvironment(logger);
  const isOpener = "open" in given;
  const openProjections = isOpener ? given.openProjections?.bind(given) : undefined;
  if (sinks.length > 0 && openProjections === undefined) throw nowhere();
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
    const openSinks = openProjections && sinks.length > 0 && sinksOpener(sinks, openProjections);
    const wanted = { peers: targets, sources, follow, ...(openSinks && { openSinks }) };
    return await openLiveReplica({ ...parts, ...places, ...wanted });
  } catch (error) {
    await release?.();
    throw error;
  }
}

function sinksOpener(
  sinks: readonly SinkDefinition[],
  openProjections: (environment: Environment) => Promise<ProjectionStore>,
): LiveReplicaParts["openSinks"] {
  return async ({ access, store: log }, environment) => {
    const store = await openProjections(environment);
    const newSource = (): LogSource => new LogSource({ store: log, environment, access });
    try {
      const host = new SinkHost({ store, newSource, environment, sinks });
      host.start();
      const close = async (): Promise<void> => {
        await host.close();
        await store.close();
      };
      return { host, close };
    } catch (error) {
      await store.close();
      throw error;
    }
  };
}

function nowhere(): HeddleError {
  const message = "sinks need a store with a folder, as levelStore(folder) is one";
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}

function signerIn(directory: string | undefined): Promise<Signer> {
  if (directory === undefined) return Promise.resolve(ephemeralDeviceKey());
  return openDeviceKey(deviceKeyFileIn(directory));
}

/** Where a data folder has the key of its device. */
export function deviceKeyFileIn(directory: string): string {
  return path.join(path.resolve(directory), deviceKeyName);
}
