import type { HostInfo } from "./host.ts";
import type { Sample } from "./load/jobs.ts";
import type { Plan } from "./plan.ts";
import type { Table } from "./rows/row.ts";

/** Everything one run measured, as it goes into the result file. */
export interface BenchResult {
  readonly host: HostInfo;
  readonly plan: Plan;
  readonly seconds: number;
  readonly servers: readonly { readonly id: string; readonly durability: string }[];
  readonly syncCost: readonly Sample[];
  readonly rows: readonly RowResult[];
}

export interface RowResult {
  readonly id: string;
  readonly tables: readonly Table[];
  readonly outcomes: readonly ServerOutcome[];
}

/** The runs of one server in the order they were made; `problems` says why any are missing. */
export interface ServerOutcome {
  readonly server: string;
  readonly samples: Sample[];
  readonly problems: string[];
}
