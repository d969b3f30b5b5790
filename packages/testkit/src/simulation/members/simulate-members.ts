import { BrokenPromise } from "../sim-checker.ts";
import { SimRandom } from "../sim-random.ts";
import type { OpenMember } from "./member-replica.ts";
import { MembersWorld } from "./members-world.ts";

export interface MembersSimulationOptions {
  readonly seed: number;
  /** `openLiveReplica` of `@heddle/replica`. */
  readonly open: OpenMember;
  readonly keepsTimeline?: boolean;
  /** Each device has a rule of its own about which device is to have what, and changes its mind. */
  readonly hasRules?: boolean;
}

export interface MembersReport {
  readonly seed: number;
  /** Undefined when every promise was kept. */
  readonly broken?: string;
  /** Equal for equal runs. */
  readonly traceHash: string;
  readonly timeline: readonly string[];
  readonly virtualMs: number;
  readonly acts: number;
  /** Of acts, those that their author may not do, as far as it knew. */
  readonly refused: number;
  readonly edits: number;
  readonly absences: number;
  readonly restarts: number;
  /** Devices that were out in the end. */
  readonly removed: number;
  /** Documents that were opened with a device that was refused them before. */
  readonly allowedLater: number;
}

/**
 * Runs one space to its end: admins that grant and remove each other apart, readers and removed devices that
 * write on and come back. Nothing but the seed decides what happens.
 */
export async function simulateMembers(options: MembersSimulationOptions): Promise<MembersReport> {
  const { seed, open, keepsTimeline = false, hasRules = false } = options;
  const random = new SimRandom(seed);
  const world = new MembersWorld({ random, open, keepsTimeline, hasRules });
  let broken: string | undefined;
  try {
    await world.run();
  } catch (error) {
    if (!(error instanceof BrokenPromise)) throw error;
    broken = error.message;
  }
  return {
    seed,
    ...(broken !== undefined && { broken }),
    traceHash: world.trace.hash,
    timeline: world.trace.lines,
    virtualMs: world.time.nowMs,
    ...world.counts,
  };
}
