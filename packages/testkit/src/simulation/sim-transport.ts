import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core";
import {
  attemptDial,
  decodeHttpWords,
  encodeHttpWords,
  FrameConnection,
  transportLimits,
  type CloseWords,
  type Connection,
  type FrameCarrier,
  type Transport,
  type TransportLimits,
} from "@heddle/sync";

import { PendingTimers } from "../pending-timers.ts";
import type { NetworkEnd, SimNetwork } from "./sim-network.ts";
import type { SimTime } from "./sim-time.ts";

export interface SimMachineOptions {
  readonly name: string;
  readonly network: SimNetwork;
  readonly scheduler: Scheduler;
  readonly limits?: Partial<TransportLimits>;
  /** Takes what others dial; without it nobody is accepted. */
  readonly onConnection?: (connection: Connection) => void;
  /** Overhears what is sent from here, and to which machine. */
  readonly onMessage?: (message: SimMessage) => void;
}

/** One message on its way out. */
export interface SimMessage {
  readonly connection: number;
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** First byte of what travels: the simulated network knows of frames only. */
const tag = { data: 0, taken: 1, bye: 2, gone: 3 } as const;
/** Tag, and a count of bytes as a double. */
const headerBytes = 9;

/** A machine on the simulated network, as transport and acceptor of connections. */
export class SimMachine implements NetworkEnd {
  readonly name: string;
  readonly #options: SimMachineOptions;
  readonly #carriers = new Map<number, SimCarrier>();

  constructor(options: SimMachineOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get connectionCount(): number {
    return this.#carriers.size;
  }

  /** Dials another machine, or one that is not there. */
  transportTo(target: SimMachine | undefined): Transport {
    const { network, scheduler, limits } = this.#options;
    const { dialMsMax } = { ...transportLimits, ...limits };
    return {
      name: "simulated",
      dial: async (signal) => {
        const about = { signal, scheduler, dialMsMax, target: target?.name ?? "nobody" };
        return attemptDial<Connection>(about, (outcome) => {
          // Into a black hole: only the deadline ends it.
          const key = target && network.connect(this, target);
          if (key === undefined || !target) return () => undefined;
          if (target.#options.onConnection) {
            outcome.opened(this.#connect(key, target));
            target.#options.onConnection(target.#connect(key, this));
          } else {
            network.close(key, this);
            const message = `${target.name} takes no connections`;
            outcome.failed(new HeddleError(HeddleErrorCode.sessionClosed, message));
          }
          return () => undefined;
        });
      },
    };
  }

  onFrame(key: number, bytes: Uint8Array): void {
    this.#carriers.get(key)?.receive(bytes);
  }

  onClosed(key: number): void {
    this.#carriers.get(key)?.cutOff();
  }

  /** Sends a message on the newest connection, past all caps. */
  forge(bytes: Uint8Array): void {
    [...this.#carriers.values()].at(-1)!.send(bytes);
  }

  #connect(key: number, other: SimMachine): Connection {
    const { network, scheduler, limits, onMessage } = this.#options;
    const [from, to] = [this.name, other.name];
    const carrier = new SimCarrier({
      overhear: (bytes) => onMessage?.({ connection: key, from, to, bytes }),
      send: (bytes) => network.send(key, this, bytes),
      forget: () => void this.#carriers.delete(key),
      close: () => network.close(key, this),
    });
    this.#carriers.set(key, carrier);
    carrier.connection = new FrameConnection(carrier, { scheduler, ...(limits && { limits }) });
    return carrier.connection;
  }
}

interface SimWire {
  overhear(message: Uint8Array): void;
  send(bytes: Uint8Array): void;
  /** Nothing more is heard. */
  forget(): void;
  /** The other end learns that this one is gone. */
  close(): void;
}

/** Counts what the other side has taken, as the network itself takes everything. */
class SimCarrier implements FrameCarrier {
  connection!: FrameConnection;
  readonly #wire: SimWire;
  #sentBytes = 0;
  #takenThere = 0;
  /** Of messages that arrived and were not handed out: what the sender had sent with them. */
  readonly #counts: number[] = [];
  #isReleased = false;

  constructor(wire: SimWire) {
    this.#wire = wire;
  }

  get bufferedBytes(): number {
    return this.#sentBytes - this.#takenThere;
  }

  send(bytes: Uint8Array): void {
    this.#sentBytes += bytes.length;
    this.#wire.overhear(bytes);
    this.#post(tag.data, this.#sentBytes, bytes);
  }

  consumed(): void {
    // What was lost on the way counts as taken with what came after it.
    this.#post(tag.taken, this.#counts.shift()!);
  }

  close(words: CloseWords): void {
    this.#post(tag.bye, 0, new TextEncoder().encode(encodeHttpWords(words)));
  }

  destroy(): void {
    if (this.#isReleased) return;
    this.#release();
    this.#wire.close();
  }

  receive(bytes: Uint8Array): void {
    const count = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(1);
    const rest = bytes.slice(headerBytes);
    // Damaged on the way, which the network has counted: as good as lost.
    if (!(count >= 0)) return undefined;
    switch (bytes[0]) {
      case tag.data:
        this.#counts.push(count);
        return this.connection.received(rest);
      case tag.taken:
        this.#takenThere = Math.min(this.#sentBytes, Math.max(this.#takenThere, count));
        return this.connection.progressed();
      case tag.bye:
        this.#post(tag.gone, 0);
        // It is the other end that closes, when it has heard that.
        this.#release();
        return this.connection.ended(decodeHttpWords(new TextDecoder().decode(rest)), true);
      case tag.gone:
        this.destroy();
        return this.connection.ended({ closeCode: 1000, text: "" }, true);
      default:
        return undefined;
    }
  }

  /** The network says that the other end is no more. */
  cutOff(): void {
    this.#release();
    this.connection.ended({ closeCode: 1006, text: "" }, false);
  }

  #post(kind: number, count: number, body: Uint8Array = new Uint8Array()): void {
    if (this.#isReleased) return;
    const bytes = new Uint8Array(headerBytes + body.length);
    bytes[0] = kind;
    new DataView(bytes.buffer).setFloat64(1, count);
    bytes.set(body, headerBytes);
    this.#wire.send(bytes);
  }

  #release(): void {
    this.#isReleased = true;
    this.#wire.forget();
  }
}

/** The `Scheduler` port on virtual time; counts what is set. */
export class SimScheduler implements Scheduler {
  readonly #time: SimTime;
  readonly #timers = new PendingTimers();

  constructor(time: SimTime) {
    this.#time = time;
  }

  get pending(): number {
    return this.#timers.count;
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#timers.add(task, (run) => {
      this.#time.after(delayMs, run);
      return () => undefined;
    });
  }
}
