import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";

import { HeddleError, HeddleErrorCode, isHeddleError, type Environment } from "@heddle/core";

import type { LanAddress } from "./address.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import { nameFrom } from "./device-name.ts";
import { lanLimits } from "./lan-limits.ts";
import { hostsOf } from "./own-hosts.ts";
import type { PairedDevice, WantedStanding } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";
import { readCard, writeCard } from "./pairing-card.ts";
import { PairingChannel, pairingTls, PairingWord } from "./pairing-channel.ts";
import { pairingFailed } from "./pairing-failed.ts";
import { pairingIdentity, writePairingLink } from "./pairing-link.ts";
import { assertFits, type OwnSpace } from "./space-invitation.ts";

export interface PairingParty extends OwnSpace {
  readonly identity: DeviceIdentity;
  /** Where the other device is written down. */
  readonly paired: PairedDevices;
  readonly environment: Pick<Environment, "clock" | "random" | "scheduler">;
  /** What this device calls itself. */
  readonly name: string;
}

export interface StartPairingOptions extends PairingParty {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Addresses of this machine for the link; default: those of its interfaces. */
  readonly hosts?: readonly string[];
  readonly lifeMs?: number;
  /**
   * In a space: what the other device is granted by the replica of this one, as soon as both it runs and this
   * device is an admin. Default: nothing.
   */
  readonly role?: Exclude<WantedStanding, "removed"> | undefined;
}

/** A pairing that waits for the other device. It ends once: by success, by its time, or by too many tries. */
export interface Pairing {
  /** A secret: whoever has it may be paired. */
  readonly link: string;
  /** @throws HeddleError `HEDDLE_PAIRING_FAILED`, by rejection. */
  readonly done: Promise<PairedDevice>;
  cancel(): void;
}

/**
 * Waits for one device that was given the link. The secret is the key of the connection itself (TLS 1.3
 * with an external PSK), so a neighbour who does not have it cannot stand in between, and learns nothing.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` without an address or port to wait at, or for a role in the open
 * space; `HEDDLE_PAIRING_FAILED` for a genesis that no card can carry; `HEDDLE_STORAGE_IO` where no device can be written down.
 */
export async function startPairing(options: StartPairingOptions): Promise<Pairing> {
  if (options.role && !options.genesis) {
    throw new HeddleError(HeddleErrorCode.configInvalid, "in the open space there are no roles");
  }
  assertFits(options.genesis);
  // Found now, and not when the other device has come.
  await options.paired.assertWritable();
  const host = new PairingHost(options);
  await host.listen();
  return host;
}

class PairingHost implements Pairing {
  readonly done: Promise<PairedDevice>;
  readonly #options: StartPairingOptions;
  readonly #secret: Uint8Array;
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly #callOff: () => void;
  #settle!: { readonly resolve: (device: PairedDevice) => void; reject(error: Error): void };
  #failures = 0;
  /** The secret is good for one device: whoever is first. */
  #isTaken = false;
  #isOver = false;
  link = "";

  constructor(options: StartPairingOptions) {
    const { environment, lifeMs = lanLimits.pairingMsMax } = options;
    this.#options = options;
    this.#secret = environment.random.bytes(16);
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Whoever cancels need not listen; who listens is told all the same.
    this.done.catch((error: unknown) => {
      if (!isHeddleError(error)) throw error;
    });
    const wanted = pairingIdentity(this.#secret);
    this.#server = createServer({
      ...pairingTls,
      pskCallback: (_socket, identity) => {
        return identity === wanted && !this.#isTaken ? Buffer.from(this.#secret) : null;
      },
      handshakeTimeout: lanLimits.handshakeMsMax,
    });
    this.#server.maxConnections = lanLimits.socketsPerAddressMax;
    this.#server.on("tlsClientError", (_error, socket) => {
      socket.destroy();
      this.#failed();
    });
    this.#server.on("drop", () => this.#failed());
    this.#server.on("secureConnection", (socket) => this.#meet(socket));
    this.#callOff = environment.scheduler.after(Math.min(lifeMs, lanLimits.pairingMsMax), () => {
      this.#end(pairingFailed("nobody came in time: the link has expired"));
    });
  }

  async listen(): Promise<void> {
    const { port = 0, hosts = hostsOf() } = this.#options;
    if (hosts.length === 0) {
      this.#end(pairingFailed("nobody can be waited for"));
      const message =
        "no interface has an IPv4 address that neighbours could use: connect, or name one";
      throw new HeddleError(HeddleErrorCode.configInvalid, message);
    }
    try {
      this.#server.listen({ port });
      await once(this.#server, "listening");
    } catch (cause) {
      this.#end(pairingFailed("nobody can be waited for", cause));
      const message = `nobody can be waited for on port ${port}`;
      throw new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
    }
    const { port: taken } = this.#server.address() as AddressInfo;
    const addresses = hosts.slice(0, 4).map((host): LanAddress => ({ host, port: taken }));
    const { fingerprint } = this.#options.identity;
    this.link = writePairingLink({ addresses, secret: this.#secret, fingerprint });
  }

  cancel(): void {
    this.#end(pairingFailed("the pairing was cancelled"));
  }

  #meet(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#isTaken || this.#isOver) return void socket.destroy();
    this.#isTaken = true;
    const channel = new PairingChannel(socket, this.#options.environment.scheduler);
    this.#exchange(channel).then(
      (device) => {
        channel.end();
        this.#end(undefined, device);
      },
      (error: unknown) => {
        // Whoever has said that it is done takes it back only when it hears this: it is not cut off with the others.
        this.#sockets.delete(socket);
        channel.write(PairingWord.refused);
        channel.end();
        this.#end(isHeddleError(error) ? error : pairingFailed("the pairing failed", error));
      },
    );
  }

  /**
   * Their card, ours, their word that nothing is left to do there; then it is written down here, and said. So
   * a device that did not finish is trusted by nobody, wherever it breaks.
   */
  async #exchange(channel: PairingChannel): Promise<PairedDevice> {
    const { identity, name, paired, environment, genesis, role } = this.#options;
    const binding = channel.secretFor("pair");
    const card = readCard(await channel.read(), { role: "guest", binding });
    if (card === undefined || card.fingerprint === identity.fingerprint) {
      throw pairingFailed("the other device does not say who it is");
    }
    // What speaks against it is said before it changes anything there.
    paired.assertRoomFor(card.fingerprint);
    channel.write(writeCard(identity, nameFrom(name), { role: "host", binding, genesis }));
    if ((await channel.read()) !== PairingWord.kept)
      throw pairingFailed("the other device refused");
    const tagKey = channel.secretFor("tags").toString("hex");
    const { fingerprint, key, name: shown } = card;
    const wanted = role && { wanted: role };
    const pairedMs = environment.clock.nowMs();
    const device = { fingerprint, key, name: shown, tagKey, pairedMs, ...wanted };
    await paired.add(device);
    channel.write(PairingWord.kept);
    return device;
  }

  #failed(): void {
    this.#failures++;
    if (this.#failures < lanLimits.pairingAttemptsMax || this.#isTaken) return;
    this.#end(pairingFailed(`${this.#failures} tries failed: the link was withdrawn`));
  }

  #end(error: HeddleError | undefined, device?: PairedDevice): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isTaken = true;
    this.#callOff();
    this.#server.close();
    // The one that succeeded ends by itself, when it has been told.
    if (error) for (const socket of this.#sockets) socket.destroy();
    if (device) this.#settle.resolve(device);
    else this.#settle.reject(error!);
  }
}
