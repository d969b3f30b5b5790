export { lightEngine } from "./light-engine.ts";
export type {
  MemberDocument,
  MemberParts,
  MemberReplica,
  OpenMember,
} from "./members/member-replica.ts";
export {
  simulateMembers,
  type MembersReport,
  type MembersSimulationOptions,
} from "./members/simulate-members.ts";
export { BrokenPromise } from "./sim-checker.ts";
export type { SimEngine, SimEngineFactory } from "./sim-engine.ts";
export type { NetworkCounts, NetworkFaults } from "./sim-network.ts";
export { planFor, type SimAction, type SimPlan } from "./sim-plan.ts";
export { SimRandom } from "./sim-random.ts";
export { simScenarios, type SimScenario } from "./sim-scenarios.ts";
export { simulate, type SimulationOptions, type SimulationReport } from "./simulate.ts";
export { yjsSimEngine } from "./yjs-sim-engine.ts";
export { SimDisk, type DiskFaults } from "./sim-disk.ts";
export { SimNetwork, soundNetwork } from "./sim-network.ts";
export { SimStore } from "./sim-store.ts";
export { SimTime } from "./sim-time.ts";
export { SimMachine, SimScheduler, type SimMachineOptions } from "./sim-transport.ts";
