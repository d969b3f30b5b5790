import { constrainedMemory } from "node:process";
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";

import type { RelayLimit, RelayLimits } from "./relay-limits.ts";

export interface RelayLoad {
  /** The ceiling that keeps newcomers out at present. */
  readonly exceeded: RelayLimit | undefined;
  /** Of messages that are not complete. */
  readonly receivingBytes: number;
  /** Of catch-ups that are not read. */
  readonly catchUpBytes: number;
}

/** Below this part of a ceiling newcomers are welcome again. */
const recoveredAt = 0.9;

export interface LoadReading {
  /** Resident, of the whole process. */
  readonly memoryBytes: number;
  /** Part of V8's heap that is in use, of what it may ever have. */
  readonly heapShare: number;
  /** How late the event loop came to its work. */
  readonly lagMs: number;
}

/**
 * Whether the process has room for more. Over a ceiling newcomers are told to come back later, until
 * both readings are clearly below: without the gap, each one let in would close the door again.
 */
export class LoadGauge {
  readonly #memoryBytesMax: number;
  readonly #heapShareMax: number;
  readonly #lagMsMax: number;
  #lagMs = 0;
  #exceeded: RelayLimit | undefined;

  constructor({ memoryBytesMax, heapPercentMax, eventLoopLagMsMax }: RelayLimits) {
    this.#heapShareMax = heapPercentMax / 100;
    this.#memoryBytesMax = memoryBytesMax || machineMemoryBytes() * 0.75;
    this.#lagMsMax = eventLoopLagMsMax;
  }

  /** The ceiling that keeps newcomers out at present. */
  get exceeded(): RelayLimit | undefined {
    return this.#exceeded;
  }

  sample({ memoryBytes, heapShare, lagMs }: LoadReading): void {
    // One long turn is no reason to close the door; several in a row are.
    this.#lagMs = (this.#lagMs + lagMs) / 2;
    const ease = this.#exceeded === undefined ? 1 : recoveredAt;
    const isMemoryFull = memoryBytes > this.#memoryBytesMax * ease;
    const isHeapFull = heapShare > this.#heapShareMax * ease;
    if (isMemoryFull) this.#exceeded = "memoryBytesMax";
    else if (isHeapFull) this.#exceeded = "heapPercentMax";
    else if (this.#lagMs > this.#lagMsMax * ease) this.#exceeded = "eventLoopLagMsMax";
    else this.#exceeded = undefined;
  }
}

export function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

/** What a container grants, where one does; otherwise the machine's. */
function machineMemoryBytes(): number {
  const constrained = constrainedMemory?.();
  const total = totalmem();
  return constrained !== undefined && constrained > 0 ? Math.min(constrained, total) : total;
}
