import type { LogStore } from "@heddle/core";
import { webSocketTransport } from "@heddle/client";
import { Relay } from "@heddle/relay";
import { PeerDialer, PeerHost, Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeVerifier } from "@heddle/replica/node";
import { PeerRole } from "@heddle/sync";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { environment, memoryStore } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

/** A relay that lets replicas in, and speaks with others itself. */
class PeeredRelay implements AsyncDisposable {
  readonly replica: Replica;
  readonly peers: PeerHost;
  readonly relay: Relay;
  readonly #store: LogStore;
  readonly #dialers: PeerDialer[] = [];

  private constructor(store: LogStore, replica: Replica, peers: PeerHost, relay: Relay) {
    this.#store = store;
    this.replica = replica;
    this.peers = peers;
    this.relay = relay;
  }

  static async start(): Promise<PeeredRelay> {
    const store = await memoryStore();
    const signer = ephemeralDeviceKey();
    const parts = { store, environment, signer, engine: "test" };
    const replica = await Replica.open({ ...parts, idleMs: 50 });
    const settings = { role: PeerRole.relay, adopt: true, follow: true };
    const peers = await PeerHost.open({ ...parts, replica, verifier: nodeVerifier, ...settings });
    const place = { host: "127.0.0.1", port: 0 };
    const relay = await Relay.start({ replica, peers, environment, ...place });
    return new PeeredRelay(store, replica, peers, relay);
  }

  get url(): string {
    return this.relay.url.replace("http", "ws");
  }

  /** Keeps a connection to another relay. */
  dial(url: string): void {
    const { peers } = this;
    const dialer = new PeerDialer({
      environment,
      transport: webSocketTransport({ url, WebSocket: WebSocket as never }),
      onConnected: ({ connection, live, ended }) => {
        peers.connect(connection, "initiator", {
          onLive: () => live(),
          onEnded: ({ closeCode }) => ended(closeCode),
        });
      },
    });
    this.#dialers.push(dialer);
    dialer.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dialer of this.#dialers) dialer.stop();
    await this.relay.drain();
    await this.#store.close();
  }
}

test("[RLY-1][WIR-1] clients of two relays that peer edit one document together", async () => {
  await using first = await PeeredRelay.start();
  await using second = await PeeredRelay.start();
  using ann = connect(first.url, "notes");
  using bob = connect(second.url, "notes");
  await synced(ann);
  await synced(bob);
  ann.text.insert(0, "written before they peered. ");
  second.dial(first.url);
  await until(() => bob.text.toString().startsWith("written before"), "what was there comes over");
  for (const letter of "from ann ") ann.text.insert(ann.text.length, letter);
  for (const letter of "from bob ") bob.text.insert(0, letter);
  await until(() => {
    return bob.text.length === 28 + 18 && ann.text.toString() === bob.text.toString();
  }, "both have everything");
  expect(first.peers.machine?.counters.signaturesBad).toBe(0);
  expect(first.peers.machine?.counters.incomplete).toBe(0);
});
