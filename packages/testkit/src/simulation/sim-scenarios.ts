import type { SimPlan } from "./sim-plan.ts";

/** Worlds by name. `scripts/simulate.mjs` takes the same names. */
export const simScenarios = {
  /** Whatever the seed draws. */
  light: { engine: "light", plan: (drawn: SimPlan) => drawn },
  /** The same on real documents, with real signatures. */
  yjs: { engine: "yjs", plan: (drawn: SimPlan) => drawn },
  /** The image of a running replica is started again: a lane with two writers. */
  clones: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const chances = {
        ...drawn.chances,
        rollback: 0,
        copy: 0,
        bitFlip: 0,
        checkpoint: 0,
        clone: 0.05,
      };
      return { ...drawn, chances };
    },
  },
  /** Hardly a frame is safe: what comes in is not what was sent. */
  damaged: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const network = { ...drawn.network, corruptRatio: 0.03, delayMsMax: 50 };
      // Slow disks and much to do: a damaged frame meets what is on its way to disk.
      return { ...drawn, network, syncMsMax: 80, stepMsMax: 60, steps: drawn.steps * 2 };
    },
  },
  /** Logs are pruned all the time, by everybody, and disks are lost: who comes back is below a floor. */
  pruned: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const chances = { ...drawn.chances, checkpoint: 0.3, rollback: 0.03, copy: 0.02 };
      return { ...drawn, chances, prunesRatio: 0.9 };
    },
  },
  /** Nobody knows what anybody else has: of many documents all that differs is found by comparing. */
  strangers: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const chances = { ...drawn.chances, disconnect: 0.15 };
      return { ...drawn, chances, documents: 40, forgetsCursors: true };
    },
  },
  /** Replicas that do not compare libraries, pruned as above: what only the feed keeps in agreement. */
  older: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const pruned = simScenarios.pruned.plan(drawn);
      return { ...pruned, comparesLibraries: false, pushesAllRatio: 0.4 };
    },
  },
  /** Memory is damaged while everything else goes wrong too: what is shown is not what was stored. */
  drifting: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => {
      const chances = { ...drawn.chances, stateFlip: 0.15, checkpoint: 0.1 };
      return { ...drawn, chances };
    },
  },
  /** A network that loses nothing: what order alone can do. */
  sound: {
    engine: "light",
    plan: (drawn: SimPlan): SimPlan => ({
      ...drawn,
      network: {
        lossRatio: 0,
        duplicateRatio: 0,
        corruptRatio: 0,
        delayMsMin: 1,
        delayMsMax: 50,
        keepsOrder: true,
      },
      failedWriteRatio: 0,
      chances: { ...noFaults, edit: 1, disconnect: 0.1 },
    }),
  },
} as const;
export type SimScenario = keyof typeof simScenarios;

const noFaults = {
  edit: 0,
  crash: 0,
  partition: 0,
  heal: 0,
  disconnect: 0,
  rollback: 0,
  copy: 0,
  bitFlip: 0,
  clockJump: 0,
  clone: 0,
  checkpoint: 0,
  stateFlip: 0,
} as const;
