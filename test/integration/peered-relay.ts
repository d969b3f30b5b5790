import { webSocketTransport } from "@heddle/client";
import { MemoryDisk, type LogStore } from "@heddle/core";
import { Relay, type RelayOptions } from "@heddle/relay";
import { PeerHost, PeerSet, Replica, type ReplicaOptions } from "@heddle/replica";
import { ephemeralDeviceKey, nodeVerifier } from "@heddle/replica/node";
import { PeerRole } from "@heddle/sync";
import { WebSocket } from "ws";

import { environment, memoryStore } from "./relay-under-test.ts";

/** A relay in this process that lets replicas in, and speaks with other relays itself. */
export class PeeredRelay implements AsyncDisposable {
  readonly replica: Replica;
  readonly peers: PeerHost;
  readonly relay: Relay;
  readonly #store: LogStore;
  readonly #sets: PeerSet[] = [];

  private constructor(store: LogStore, replica: Replica, peers: PeerHost, relay: Relay) {
    this.#store = store;
    this.replica = replica;
    this.peers = peers;
    this.relay = relay;
  }

  static async start(
    options: Partial<RelayOptions> = {},
    disk: MemoryDisk | LogStore = new MemoryDisk(),
    extras: Partial<ReplicaOptions> = {},
  ): Promise<PeeredRelay> {
    const store = disk instanceof MemoryDisk ? await memoryStore(disk) : disk;
    const parts = { store, environment, signer: ephemeralDeviceKey(), engine: "test" };
    const own = { ...parts, idleMs: 50, ...extras };
    const replica = await Replica.open(own);
    const settings = {
      role: PeerRole.relay,
      adopt: true,
      follow: true,
      hasOutbox: false,
      verifier: nodeVerifier,
    };
    const peers = await PeerHost.open({ ...own, ...settings, replica });
    const place = { host: "127.0.0.1", port: 0 };
    const relay = await Relay.start({ replica, peers, environment, ...place, ...options });
    return new PeeredRelay(store, replica, peers, relay);
  }

  /** The other has said, and it is kept here, that nothing is missing up to its last change. */
  async followsUpTo(other: PeeredRelay): Promise<boolean> {
    const cursors = await this.#store.readCursors();
    const last = await other.#store.readLastArrival();
    return cursors.some(({ store, arrival }) => {
      return store === other.#store.storeId && arrival === last;
    });
  }

  get url(): string {
    return this.relay.url.replace("http", "ws");
  }

  /** Keeps a connection to another relay; the returned function cuts it for good. */
  dial(url: string): () => void {
    const sockets: WebSocket[] = [];
    class DialedWebSocket extends WebSocket {
      constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
        super(...parameters);
        sockets.push(this);
      }
    }
    const transport = webSocketTransport({ url, WebSocket: DialedWebSocket });
    const targets = [{ name: url, transport }];
    const set = new PeerSet({ host: this.peers, environment, targets });
    this.#sets.push(set);
    set.start();
    return () => {
      set.stop();
      for (const socket of sockets) socket.terminate();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const set of this.#sets) set.stop();
    await this.relay.drain();
    await this.#store.close();
  }
}
