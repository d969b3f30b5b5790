import type { Scheduler } from "@heddle/core";
import { FrameConnection, type CloseWords, type Connection, type FrameCarrier } from "@heddle/sync";
import type { WorkInFlight } from "./work-in-flight.ts";

/** Hands messages to the other end, each in a turn of its own. */
class MemoryCarrier implements FrameCarrier {
  readonly bufferedBytes = 0;
  readonly #work: WorkInFlight;
  #other: FrameConnection | undefined;

  constructor(work: WorkInFlight) {
    this.#work = work;
  }

  leadTo(other: FrameConnection): void {
    this.#other = other;
  }

  send(bytes: Uint8Array): void {
    this.#later(() => this.#other?.received(bytes.slice()));
  }

  close({ closeCode, text }: CloseWords): void {
    this.#later(() => this.#other?.ended({ closeCode, text }, true));
  }

  destroy(): void {
    this.#other = undefined;
  }

  #later(act: () => void): void {
    this.#work.begin();
    setImmediate(() => {
      this.#work.end();
      act();
    });
  }
}

/** Two ends of one connection in this process, with the counters of any other. */
export function connectInMemory(
  scheduler: Scheduler,
  work: WorkInFlight,
): readonly [Connection, Connection] {
  const carriers = [new MemoryCarrier(work), new MemoryCarrier(work)] as const;
  const ends = [
    new FrameConnection(carriers[0], { scheduler }),
    new FrameConnection(carriers[1], { scheduler }),
  ] as const;
  carriers[0].leadTo(ends[1]);
  carriers[1].leadTo(ends[0]);
  return ends;
}
