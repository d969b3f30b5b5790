import type { Trial } from "./apply-judge.ts";
import { threadCpuMs } from "./node-thread-cpu.ts";
import { Phase } from "./node-trial-program.ts";

/** CPU time where the system tells it, and wall time. */
interface Reading {
  readonly cpuMs: number | undefined;
  readonly wallMs: number;
}

/** Loading what is in the log already; far more than any document that clients could still open. */
const baseMsMax = 60_000;
/**
 * A machine that is busy elsewhere may keep the process waiting, and nobody is at fault for that; but not
 * without bound.
 */
const wallFactorMax = 20;
const wallMsMin = 60_000;

/**
 * Counts the time of each phase of a trial by itself. What counts is CPU time of its main thread, so that a
 * loaded machine blames nobody; wall time does only where the system tells no other.
 */
export class TrialClock {
  readonly #trial: Trial;
  /** What `/proc/thread-self` says there; not known before it has started. */
  readonly #thread: () => string | undefined;
  #phase: number = Phase.base;
  #start: Reading;
  #baseMs = 0;

  constructor(trial: Trial, thread: () => string | undefined) {
    this.#trial = trial;
    this.#thread = thread;
    this.#start = this.#read();
  }

  /** The bound that is exceeded: by the trial, or by what keeps it waiting. */
  look(phase: number): { readonly by: "trial" | "machine"; readonly maxMs: number } | undefined {
    if (phase !== this.#phase) {
      if (this.#phase === Phase.base) this.#baseMs = this.#elapsed().usedMs;
      this.#phase = phase;
      this.#start = this.#read();
    }
    const maxMs = this.#maxMs();
    const { usedMs, wallMs } = this.#elapsed();
    if (usedMs > maxMs) return { by: "trial", maxMs };
    const isStarved = wallMs > Math.max(wallMsMin, maxMs * wallFactorMax);
    return isStarved ? { by: "machine", maxMs } : undefined;
  }

  #maxMs(): number {
    const { budgetMs, baseMsMax: ownBaseMsMax = baseMsMax, alone } = this.#trial;
    if (this.#phase === Phase.base) return ownBaseMsMax;
    if (this.#phase === Phase.steps) return budgetMs;
    // Loads the base too, and not from where the processor has it warm.
    return (budgetMs + 3 * this.#baseMs) * (alone?.share ?? 1);
  }

  #read(): Reading {
    return { cpuMs: threadCpuMs(this.#thread()), wallMs: performance.now() };
  }

  #elapsed(): { usedMs: number; wallMs: number } {
    const now = this.#read();
    // It was not known who it is: what it used before that is given to it.
    if (this.#start.cpuMs === undefined && now.cpuMs !== undefined) {
      this.#start = { ...this.#start, cpuMs: now.cpuMs };
    }
    const wallMs = now.wallMs - this.#start.wallMs;
    const { cpuMs } = this.#start;
    const isTold = now.cpuMs !== undefined && cpuMs !== undefined;
    return { usedMs: isTold ? now.cpuMs - cpuMs : wallMs, wallMs };
  }
}
