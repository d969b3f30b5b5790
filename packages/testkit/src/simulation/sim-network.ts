import type { SimRandom } from "./sim-random.ts";
import type { SimTime } from "./sim-time.ts";

export interface NetworkFaults {
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly corruptRatio: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Frames of one direction keep their order, as on a socket. */
  readonly keepsOrder: boolean;
}

export const soundNetwork: NetworkFaults = {
  lossRatio: 0,
  duplicateRatio: 0,
  corruptRatio: 0,
  delayMsMin: 1,
  delayMsMax: 5,
  keepsOrder: true,
};

/** One end of a connection. */
export interface NetworkEnd {
  readonly name: string;
  onFrame(connection: number, bytes: Uint8Array): void | Promise<void>;
  onClosed(connection: number): void | Promise<void>;
}

interface Connection {
  readonly ends: readonly [NetworkEnd, NetworkEnd];
  /** When the last frame to each end arrives. */
  readonly arrivesMs: [number, number];
}

export interface NetworkCounts {
  frames: number;
  lost: number;
  duplicated: number;
  corrupted: number;
  blocked: number;
}

/** Carries frames between machines, badly. */
export class SimNetwork {
  faults: NetworkFaults = soundNetwork;
  readonly counts: NetworkCounts = {
    frames: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    blocked: 0,
  };
  readonly #time: SimTime;
  readonly #random: SimRandom;
  readonly #connections = new Map<number, Connection>();
  /** Ordered pairs of names between which nothing arrives: a partition may have one direction. */
  readonly #blocked = new Set<string>();
  #nextKey = 1;

  constructor(time: SimTime, random: SimRandom) {
    this.#time = time;
    this.#random = random;
  }

  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`);
  }

  heal(): void {
    this.#blocked.clear();
  }

  /** A connection with a key of its own, unless the way is blocked in a direction. */
  connect(from: NetworkEnd, to: NetworkEnd): number | undefined {
    const { name } = from;
    if (this.#blocked.has(`${name}>${to.name}`) || this.#blocked.has(`${to.name}>${name}`)) {
      return undefined;
    }
    const key = this.#nextKey++;
    this.#connections.set(key, { ends: [from, to], arrivesMs: [0, 0] });
    return key;
  }

  send(key: number, sender: NetworkEnd, bytes: Uint8Array): void {
    const connection = this.#connections.get(key);
    if (!connection) return;
    const receiver = connection.ends[0] === sender ? 1 : 0;
    const { lossRatio, duplicateRatio } = this.faults;
    this.counts.frames++;
    if (this.#blocked.has(`${sender.name}>${connection.ends[receiver].name}`)) {
      this.counts.blocked++;
    } else if (this.#random.chance(lossRatio)) this.counts.lost++;
    else {
      this.#deliver(key, connection, receiver, bytes);
      if (this.#random.chance(duplicateRatio)) {
        this.counts.duplicated++;
        this.#deliver(key, connection, receiver, bytes);
      }
    }
  }

  /** Both ends learn of it, unless they are the one that closed. */
  close(key: number, by?: NetworkEnd): void {
    const connection = this.#connections.get(key);
    if (!connection) return;
    this.#connections.delete(key);
    for (const end of connection.ends) {
      if (end !== by) this.#time.after(1, () => end.onClosed(key));
    }
  }

  closeSome(ratio: number): void {
    for (const key of this.#connections.keys()) if (this.#random.chance(ratio)) this.close(key);
  }

  closeAllOf(end: NetworkEnd): void {
    for (const [key, { ends }] of this.#connections) if (ends.includes(end)) this.close(key, end);
  }

  #deliver(key: number, connection: Connection, receiver: 0 | 1, sent: Uint8Array): void {
    const { delayMsMin, delayMsMax, corruptRatio, keepsOrder } = this.faults;
    let bytes = sent;
    if (this.#random.chance(corruptRatio)) {
      this.counts.corrupted++;
      const at = this.#random.between(0, sent.length - 1);
      bytes = sent.slice();
      bytes[at] = bytes[at]! ^ (1 << this.#random.between(0, 7));
    }
    const delayMs = delayMsMin + this.#random.fraction() * (delayMsMax - delayMsMin);
    let dueMs = this.#time.nowMs + delayMs;
    if (keepsOrder) dueMs = Math.max(dueMs, connection.arrivesMs[receiver]);
    connection.arrivesMs[receiver] = dueMs;
    this.#time.after(dueMs - this.#time.nowMs, () => {
      if (this.#connections.has(key)) return connection.ends[receiver].onFrame(key, bytes);
      return undefined;
    });
  }
}
