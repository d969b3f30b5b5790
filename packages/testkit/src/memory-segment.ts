import type { Socket } from "node:dgram";
import { EventEmitter } from "node:events";

/**
 * One network segment in memory: what anybody sends to the group, everybody on it hears. Its sockets do what
 * libraries of multicast DNS ask of a UDP socket, and no more.
 */
export class MemorySegment {
  readonly #sockets = new Map<MemorySocket, string>();
  /** Everything that was sent, oldest first. */
  readonly packets: Buffer[] = [];

  socketAt(host: string): Socket {
    const socket = new MemorySocket((packet) => this.send(packet, host));
    this.#sockets.set(socket, host);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket as unknown as Socket;
  }

  send(packet: Buffer, address: string): void {
    this.packets.push(packet);
    const from = { address, port: 5353, family: "IPv4", size: packet.length };
    for (const socket of this.#sockets.keys()) {
      setImmediate(() => socket.emit("message", Buffer.from(packet), from));
    }
  }

  get socketCount(): number {
    return this.#sockets.size;
  }
}

class MemorySocket extends EventEmitter {
  readonly #sendAway: (packet: Buffer) => void;

  constructor(sendAway: (packet: Buffer) => void) {
    super();
    this.#sendAway = sendAway;
  }

  bind(_port: number, _host: unknown, onBound: () => void): void {
    setImmediate(() => {
      this.emit("listening");
      onBound();
    });
  }

  send(...[packet, , , , , onSent]: [Uint8Array, ...unknown[]]): void {
    this.#sendAway(Buffer.from(packet));
    setImmediate(() => (onSent as (error: null) => void)(null));
  }

  close(onClosed?: () => void): void {
    this.emit("close");
    setImmediate(() => onClosed?.());
  }

  address() {
    return { address: "0.0.0.0", family: "IPv4", port: 5353 };
  }

  addMembership(): void {
    // There is one group, and everybody is in it.
  }

  readonly dropMembership = this.addMembership;
  readonly setMulticastInterface = this.addMembership;
  readonly setMulticastLoopback = this.addMembership;
  readonly setMulticastTTL = this.addMembership;
}
