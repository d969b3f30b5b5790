import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect, type TLSSocket } from "node:tls";

import type { Connection } from "@heddle/sync";
import { CountedScheduler } from "@heddle/testkit";

import { identityOf, type DeviceIdentity } from "./device-identity.ts";
import { newLanCounters } from "./lan-counters.ts";
import { LanListener, type LanListenerOptions } from "./lan-listener.ts";
import { lanTransport, type LanTransportOptions } from "./lan-transport.ts";
import type { PairedDevice } from "./paired-device.ts";
import { PairedDevices } from "./paired-devices.ts";

export function newIdentity(): DeviceIdentity {
  return identityOf(generateKeyPairSync("ed25519").privateKey);
}

export function pairedWith({ fingerprint }: DeviceIdentity, name = "another device"): PairedDevice {
  return { fingerprint, name, tagKey: "5a".repeat(32), pairedMs: 1_700_000_000_000 };
}

/** A folder for a test that ends with it. */
export function newFolder(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "heddle-lan-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Two devices on loopback: `host` listens and has paired `guest`, which dials it. */
export class LanSite {
  readonly host = newIdentity();
  readonly guest = newIdentity();
  readonly scheduler = new CountedScheduler();
  readonly counters = newLanCounters();
  readonly arrivals: { readonly connection: Connection; readonly device: PairedDevice }[] = [];
  readonly #temporary = newFolder();
  readonly paired = new PairedDevices(path.join(this.#temporary.folder, "paired"));
  #listener: LanListener | undefined;

  static async open(
    settings: Partial<Pick<LanListenerOptions, "silenceMs" | "handshakeMsMax" | "admitStore">> = {},
  ): Promise<LanSite> {
    const site = new LanSite();
    await site.paired.add(pairedWith(site.guest));
    site.#listener = await LanListener.start({
      admitStore: () => true,
      ...settings,
      identity: site.host,
      paired: site.paired,
      scheduler: site.scheduler,
      counters: site.counters,
      host: "127.0.0.1",
      port: 0,
      onConnection: (connection, device) => site.arrivals.push({ connection, device }),
    });
    return site;
  }

  get port(): number {
    return this.#listener!.port;
  }

  get openSockets(): number {
    return this.#listener!.socketCount;
  }

  transport(options: Partial<LanTransportOptions> = {}): ReturnType<typeof lanTransport> {
    return lanTransport({
      identity: this.guest,
      expected: this.host.fingerprint,
      isTrusted: () => true,
      addresses: () => [{ host: "127.0.0.1", port: this.port }],
      scheduler: this.scheduler,
      counters: this.counters,
      admitStore: () => true,
      ...options,
    });
  }

  /** A bare TLS connection, as an attacker makes one. */
  raw(options: object = {}): TLSSocket {
    const socket = connect({
      host: "127.0.0.1",
      port: this.port,
      rejectUnauthorized: false,
      ...options,
    });
    // Cut off by the other side is what is to happen.
    socket.on("error", () => socket.destroy());
    return socket;
  }

  async dispose(): Promise<void> {
    await this.#listener?.close();
    this.#temporary.remove();
  }
}

/** Takes connections and never says a word. */
export class MuteServer {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.resume();
  });

  static async start(): Promise<MuteServer> {
    const mute = new MuteServer();
    mute.#server.listen(0, "127.0.0.1");
    await once(mute.#server, "listening");
    return mute;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}
