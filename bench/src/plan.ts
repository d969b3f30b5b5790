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
};
