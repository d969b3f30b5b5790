import type { Verifier } from "@heddle/core";
import type { SyncLimits } from "@heddle/sync";

import type { SimChecker } from "./sim-checker.ts";
import type { SimEngineFactory } from "./sim-engine.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimPlan } from "./sim-plan.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimReplica } from "./sim-replica.ts";
import type { SimTime } from "./sim-time.ts";
import type { SimTrace } from "./sim-trace.ts";

/** What replicas of one simulation share. */
export interface SimSurroundings {
  readonly time: SimTime;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  readonly trace: SimTrace;
  readonly checker: SimChecker;
  readonly verifier: Verifier;
  readonly engine: SimEngineFactory;
  readonly limits: Partial<SyncLimits>;
  readonly plan: Pick<
    SimPlan,
    "saysPrev" | "comparesLibraries" | "pushesAllRatio" | "forgetsCursors"
  >;
  replica(name: string): SimReplica | undefined;
}
