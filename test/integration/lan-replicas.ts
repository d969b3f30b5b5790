import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import { lan, type Lan } from "@heddle/lan";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { WebSocket } from "ws";

import { until } from "./stock-client.ts";

export interface LanReplicaOptions {
  /** Of others, as nobody is discovered on loopback. */
  readonly addresses?: readonly string[];
  readonly relay?: string | undefined;
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

  /** The replica of that name: opened again, it has what it had. */
  async open(name: string, options: LanReplicaOptions = {}): Promise<LanReplica> {
    const { addresses = [], relay } = options;
    const folder = path.join(this.#root, name);
    const neighbours = lan({ name, addresses, host: "127.0.0.1", discovery: false });
    const transport = relay && webSocketTransport({ url: relay, WebSocket });
    const replica = await openReplica({
      store: levelStore(folder),
      peers: [neighbours, ...(transport ? [{ name: "relay", transport }] : [])],
      follow: true,
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

export async function pair(host: LanReplica, guest: LanReplica): Promise<void> {
  const { link, done } = await host.neighbours.pair({ hosts: ["127.0.0.1"] });
  await Promise.all([guest.neighbours.join(link), done]);
}

/** So many of the devices that it is paired with. */
export function connected({ neighbours }: LanReplica, count = 1): Promise<void> {
  const isConnected = () =>
    neighbours.peers.filter(({ state }) => state === "connected").length >= count;
  return until(isConnected, `${count} neighbours are connected`, 60_000);
}
