import { mkdtempSync, rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import { createSpace, type Environment } from "@heddle/core";
import { lan, type Lan, type LanPairOptions } from "@heddle/lan";
import { openLiveReplica, type LiveReplica, type MayOffer } from "@heddle/replica";
import {
  deviceKeyFileIn,
  nodeEnvironment,
  nodeVerifier,
  openDeviceKey,
} from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { WebSocket } from "ws";

import { until } from "./stock-client.ts";

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface LanReplicaOptions {
  /** Of others, as nobody is discovered on loopback. */
  readonly addresses?: readonly string[];
  readonly relay?: string | undefined;
  /** In place of this machine's. */
  readonly environment?: Environment;
  /** A file: the device is the one whose key this is, in a store of its own. */
  readonly keyFrom?: string;
  /** Of the space that it is of; the open space otherwise. */
  readonly genesis?: Uint8Array | undefined;
  /** Which peers are to have which documents. */
  readonly mayOffer?: MayOffer | undefined;
}

/** A replica of an application, and its LAN. */
export interface LanReplica {
  readonly folder: string;
  readonly replica: LiveReplica;
  readonly neighbours: Lan;
  readonly address: string;
  close(): Promise<void>;
}

/** Replicas of one test on loopback, in folders that end with it. */
export class LanReplicas implements AsyncDisposable {
  readonly #root = mkdtempSync(path.join(tmpdir(), "heddle-lan-"));
  readonly #open = new Set<LiveReplica>();

  /** That of this machine, with its wall clock so far ahead. */
  environment(aheadMs = 0): Environment {
    const environment = nodeEnvironment(silent);
    const { clock } = environment;
    return { ...environment, clock: { ...clock, nowMs: () => clock.nowMs() + aheadMs } };
  }

  folderOf(name: string): string {
    return path.join(this.#root, name);
  }

  /** Where that replica will look for its key. */
  keyFileOf(name: string): string {
    return deviceKeyFileIn(this.folderOf(name));
  }

  /** The replica of that name: opened again, it has what it had. */
  async open(name: string, options: LanReplicaOptions = {}): Promise<LanReplica> {
    const { addresses = [], relay, environment = this.environment(), keyFrom } = options;
    const { genesis, mayOffer } = options;
    const folder = this.folderOf(name);
    const neighbours = lan({ name, addresses, host: "127.0.0.1", discovery: false });
    const transport = relay && webSocketTransport({ url: relay, WebSocket });
    const store = await levelStore(folder).open(environment);
    if (keyFrom) await cp(keyFrom, this.keyFileOf(name));
    const replica = await openLiveReplica({
      environment,
      store,
      signer: await openDeviceKey(this.keyFileOf(name)),
      verifier: nodeVerifier,
      directory: folder,
      deviceKeyFile: this.keyFileOf(name),
      peers: transport ? [{ name: "relay", transport }] : [],
      sources: [neighbours],
      follow: true,
      mayOffer,
      ...(genesis && { genesis }),
      release: () => store.close(),
    });
    this.#open.add(replica);
    const close = async (): Promise<void> => {
      if (this.#open.delete(replica)) await replica.close();
    };
    return { folder, replica, neighbours, address: `127.0.0.1:${neighbours.port}`, close };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open].map((replica) => replica.close()));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export async function pair(
  host: LanReplica,
  guest: LanReplica,
  role?: LanPairOptions["role"],
): Promise<void> {
  const { link, done } = await host.neighbours.pair({ hosts: ["127.0.0.1"], role });
  await Promise.all([guest.neighbours.join(link), done]);
}

/** So many of the devices that it is paired with. */
export function connected({ neighbours }: LanReplica, count = 1): Promise<void> {
  const isConnected = () =>
    neighbours.peers.filter(({ state }) => state === "connected").length >= count;
  return until(isConnected, `${count} neighbours are connected`, 60_000);
}

/** A space whose admin is the device of that name. */
export async function spaceOf(site: LanReplicas, name: string): Promise<Uint8Array> {
  const environment = site.environment();
  await (await levelStore(site.folderOf(name)).open(environment)).close();
  const signer = await openDeviceKey(site.keyFileOf(name));
  const madeAt = { wallMs: environment.clock.nowMs(), counter: 0 };
  return (await createSpace({ ...environment, signer, madeAt, label: "Atelier" })).bytes;
}
