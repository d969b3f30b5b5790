import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { EventEmitter } from "node:events";

import type { Clock } from "@heddle/core";

import type { LanCounters } from "./lan-counters.ts";
import { hostsOf } from "./own-hosts.ts";
import { lanLimits } from "./lan-limits.ts";

export type PacketSocket = Pick<
  Socket,
  | "addMembership"
  | "address"
  | "bind"
  | "close"
  | "dropMembership"
  | "on"
  | "send"
  | "setMulticastInterface"
  | "setMulticastLoopback"
  | "setMulticastTTL"
>;

export interface GuardOptions {
  readonly clock: Clock;
  readonly counters: LanCounters;
  readonly onSendFailed?: (error: Error) => void;
  /** Default: a UDP socket that shares its port. */
  readonly socket?: PacketSocket;
}

type SendArguments = [
  packet: Uint8Array,
  offset: number,
  length: number,
  port: number,
  host: string,
  onSent?: (error: Error | null, bytes: number) => void,
];

/**
 * The socket that the mDNS library is given. Anybody on the network can send to it, and an exception in a
 * listener of a socket ends the process: so packets have a size and a rate, and what the library cannot
 * stand is counted.
 */
export class GuardedSocket extends EventEmitter {
  readonly #socket: PacketSocket;
  readonly #options: GuardOptions;
  #budget: number = lanLimits.packetsBurst;
  #atMs: number;

  constructor(options: GuardOptions) {
    super();
    this.#options = options;
    this.#socket = options.socket ?? createSocket({ type: "udp4", reuseAddr: true });
    this.#atMs = options.clock.monotonicMs();
    this.#socket.on("message", (packet, from) => this.#received(packet, from));
    this.#socket.on("listening", () => this.emit("listening"));
    this.#socket.on("error", (error) => this.emit("error", error));
  }

  address(): ReturnType<Socket["address"]> {
    return this.#socket.address();
  }

  bind(port: number, _address: unknown, onBound: () => void): void {
    // All interfaces: packets come to the group, not to an address.
    this.#socket.bind(port, undefined, onBound);
  }

  addMembership(group: string, host: string): void {
    this.#socket.addMembership(group, host);
  }

  dropMembership(group: string, host: string): void {
    this.#socket.dropMembership(group, host);
  }

  setMulticastInterface(host: string): void {
    this.#socket.setMulticastInterface(host);
  }

  setMulticastLoopback(isOn: boolean): void {
    this.#socket.setMulticastLoopback(isOn);
  }

  setMulticastTTL(ttl: number): void {
    this.#socket.setMulticastTTL(ttl);
  }

  /** The library does not look whether a packet has left. */
  send(...[packet, offset, length, port, host, onSent]: SendArguments): void {
    this.#socket.send(packet, offset, length, port, host, (error) => {
      const [nearby] = hostsOf();
      if (!error || nearby === undefined) return this.#sent(error, onSent);
      // Without a default route nobody says which way the group is: then it is the first interface.
      this.#socket.setMulticastInterface(nearby);
      this.#socket.send(packet, offset, length, port, host, (again) => this.#sent(again, onSent));
    });
  }

  close(onClosed?: () => void): void {
    this.#socket.close(onClosed);
  }

  #sent(error: Error | null, onSent: SendArguments[5]): void {
    if (error) this.#options.onSendFailed?.(error);
    onSent?.(error, 0);
  }

  #received(packet: Buffer, from: RemoteInfo): void {
    const { counters } = this.#options;
    if (isTooLarge(packet)) counters.packetsTooLarge++;
    else if (!this.#mayTake()) counters.packetsTooMany++;
    else {
      try {
        this.emit("message", packet, from);
      } catch {
        // Somebody sent what the library takes for a name or a record and cannot read as one.
        counters.packetsMalformed++;
      }
    }
  }

  #mayTake(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const grown = ((nowMs - this.#atMs) / 1_000) * lanLimits.packetsPerSecond;
    this.#budget = Math.min(lanLimits.packetsBurst, this.#budget + grown);
    this.#atMs = nowMs;
    if (this.#budget < 1) return false;
    this.#budget--;
    return true;
  }
}

/** By its length, or by the four counts of its head: what is shorter than that is for the library to refuse. */
function isTooLarge(packet: Buffer): boolean {
  if (packet.length > lanLimits.packetBytesMax) return true;
  if (packet.length < 12) return false;
  const counts = [4, 6, 8, 10].map((at) => packet.readUInt16BE(at));
  return counts.reduce((sum, count) => sum + count) > lanLimits.packetRecordsMax;
}
