import type { NetworkFaults } from "./sim-network.ts";
import type { SimRandom } from "./sim-random.ts";

/** What happens to a simulated world while faults are allowed. Probabilities are of one step. */
export interface SimPlan {
  readonly replicas: number;
  readonly documents: number;
  readonly steps: number;
  /** Virtual time between steps, at most. */
  readonly stepMsMax: number;
  readonly network: NetworkFaults;
  readonly failedWriteRatio: number;
  readonly syncMsMax: number;
  /** By how many years a wall clock may be wrong, either way, from the beginning on. */
  readonly clockYearsMax: number;
  readonly reorderEnvelopesMax: number;
  readonly creditBytes: number;
  /** Nothing is left out of a PUSH that the reader could tell. */
  readonly saysPrev: boolean;
  /** Whether replicas compare libraries: older ones do not. */
  readonly comparesLibraries: boolean;
  /** Share of starts in which a replica does not know how to hold back what others push: older ones. */
  readonly pushesAllRatio: number;
  /** Nobody keeps where it stands in the feed of others: at every meeting all has to be found. */
  readonly forgetsCursors: boolean;
  /** Of checkpoints to be followed by dropping the log below. */
  readonly prunesRatio: number;
  readonly chances: Readonly<Record<SimAction, number>>;
}

export type SimAction =
  | "edit"
  | "crash"
  | "partition"
  | "heal"
  | "disconnect"
  | "rollback"
  | "copy"
  | "bitFlip"
  | "clockJump"
  | "clone"
  | "checkpoint"
  | "stateFlip";

/** A plan drawn by chance: worlds differ in what goes wrong, not only in when. */
export function planFor(random: SimRandom): SimPlan {
  const rarely = (probability: number, value: number) => (random.chance(probability) ? value : 0);
  return {
    replicas: random.between(3, 4),
    documents: random.between(1, 2),
    steps: random.between(20, 45),
    stepMsMax: random.pick([50, 400, 1_500]),
    network: {
      lossRatio: rarely(0.5, random.pick([0.01, 0.05, 0.2])),
      duplicateRatio: rarely(0.5, 0.05),
      corruptRatio: rarely(0.2, 0.005),
      delayMsMin: 1,
      delayMsMax: random.pick([5, 50, 400]),
      keepsOrder: random.chance(0.5),
    },
    failedWriteRatio: rarely(0.3, 0.01),
    syncMsMax: random.pick([3, 30]),
    clockYearsMax: 3,
    reorderEnvelopesMax: random.pick([0, 1, 4, 256]),
    creditBytes: random.pick([8 * 1024, 1024 * 1024]),
    chances: {
      edit: 1,
      crash: 0.09,
      partition: rarely(0.6, 0.06),
      heal: 0.08,
      disconnect: 0.06,
      rollback: rarely(0.25, 0.02),
      copy: rarely(0.15, 0.02),
      bitFlip: rarely(0.15, 0.015),
      clockJump: rarely(0.4, 0.05),
      clone: 0,
      checkpoint: rarely(0.5, 0.08),
      stateFlip: 0,
    },
    prunesRatio: 0.7,
    comparesLibraries: true,
    pushesAllRatio: 0,
    forgetsCursors: false,
    saysPrev: random.chance(0.5),
  };
}
