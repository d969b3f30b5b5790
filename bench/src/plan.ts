/** How much of everything one run does. */
export interface Plan {
  readonly name: "quick" | "full";
  /** Each round runs every server once: A B C D, A B C D, ... */
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** CPU is counted in steps of 10 ms, so a load that leaves the server idle is measured for longer. */
  readonly measureAtRateMs: number;
  readonly typedPerWriter: number;
  readonly typedPerDocument: number;
  /** Between the last client leaving and the look at memory. */
  readonly settleMs: number;
  readonly killsPerRound: number;
  readonly syncedWrites: number;
  readonly libraryDocuments: number;
  /** Longer than any server keeps a document that everybody has left; none keeps it for longer by default. */
  readonly leftMs: number;
  readonly traceEdits: number;
  /** Virtual time from one edit to the next, where typing at human speed is measured. */
  readonly typingMs: number;
  readonly watchedEdits: number;
  /** A writer and a reader each, at two relays that are peers. */
  readonly peeredDocuments: number;
  readonly typedPerPeeredDocument: number;
  readonly returningBytes: number;
  readonly updatesBehind: number;
  readonly idleClients: number;
  readonly idleSettleMs: number;
  readonly curves: CurvePlan;
}

/** Points of the scaling curves. */
export interface CurvePlan {
  readonly clients: readonly number[];
  readonly documentsOnDisk: readonly number[];
  readonly documentBytes: readonly number[];
  readonly lanes: readonly number[];
}

export const quickPlan: Plan = {
  name: "quick",
  rounds: 1,
  warmUpMs: 400,
  measureMs: 1_000,
  measureAtRateMs: 1_500,
  typedPerWriter: 6_000,
  typedPerDocument: 120,
  settleMs: 500,
  killsPerRound: 1,
  syncedWrites: 200,
  libraryDocuments: 200,
  leftMs: 1_000,
  traceEdits: 5_000,
  watchedEdits: 2_000,
  typingMs: 200,
  peeredDocuments: 100,
  typedPerPeeredDocument: 1_200,
  returningBytes: 100_000,
  updatesBehind: 1_000,
  idleClients: 200,
  idleSettleMs: 500,
  curves: {
    clients: [10, 100],
    documentsOnDisk: [100, 1_000],
    documentBytes: [10_000, 100_000],
    lanes: [10, 100],
  },
};

export const fullPlan: Plan = {
  name: "full",
  rounds: 5,
  warmUpMs: 2_000,
  measureMs: 5_000,
  measureAtRateMs: 10_000,
  typedPerWriter: 40_000,
  typedPerDocument: 500,
  settleMs: 10_000,
  killsPerRound: 3,
  syncedWrites: 1_000,
  libraryDocuments: 2_000,
  leftMs: 40_000,
  traceEdits: 259_778,
  watchedEdits: 20_000,
  typingMs: 200,
  peeredDocuments: 100,
  typedPerPeeredDocument: 5_000,
  returningBytes: 1_000_000,
  updatesBehind: 10_000,
  idleClients: 2_000,
  idleSettleMs: 4_000,
  curves: {
    clients: [10, 30, 100, 300, 1_000, 2_000],
    documentsOnDisk: [100, 1_000, 10_000, 100_000],
    documentBytes: [10_000, 100_000, 1_000_000, 5_000_000, 20_000_000],
    lanes: [10, 100, 1_000, 3_000],
  },
};
