import { HeddleError, HeddleErrorCode, type Environment, type LogStore } from "@heddle/core";
import type { DocumentAccess } from "@heddle/replica";
import type { RunPlan } from "@heddle/replica/node";

import { ControlServer } from "./control-server.ts";
import { controlSocketOf } from "./control-socket.ts";
import type { LoadedProjections } from "./load-projections.ts";
import { LocalDesk, type BackgroundJob } from "./local-desk.ts";

export interface RelayProjectionsOptions {
  readonly data: string;
  /** `continuous`, `off`, or a cron pattern. */
  readonly reconcile: string;
  /** `22:00-06:00`. */
  readonly reconcileHours?: string;
  readonly reconcileZone?: string;
  /** `off`, or a cron pattern. */
  readonly reconcileThorough: string;
  /** Between two looks at everything; 0 for no other ones. */
  readonly reconcileWholeHours: number;
  /** Of the event loop's time, above 0 and up to 1. */
  readonly reconcileShare: number;
  /** Records and documents in a second. */
  readonly reconcileReads: number;
}

type HoursOptions = Pick<
  RelayProjectionsOptions,
  "reconcile" | "reconcileHours" | "reconcileZone" | "reconcileThorough"
>;

export interface RelayProjectionsParts {
  readonly data: string;
  readonly loaded: LoadedProjections;
  readonly plan: RunPlan | undefined;
  readonly thoroughPlan: RunPlan | undefined;
  readonly job: BackgroundJob;
}

/** Of the time of the relay's event loop, for following the feed. */
const feedShareMax = 0.5;

/** From the end of one run to the beginning of the next. */
const continuousEveryMs = 60 * 60 * 1_000;

/** When jobs run; `undefined` for never. */
export function reconcilePlanOf({
  reconcile,
  reconcileHours,
  reconcileZone: timeZone,
}: Omit<HoursOptions, "reconcileThorough">): RunPlan | undefined {
  if (reconcile === "off") return undefined;
  const when: RunPlan["when"] =
    reconcile === "continuous"
      ? { mode: "continuous", everyMs: continuousEveryMs }
      : { mode: "scheduled", pattern: reconcile };
  const [from, to, ...rest] = reconcileHours?.split("-") ?? [];
  if (from === undefined) return { when, timeZone };
  if (to !== undefined && rest.length === 0) return { when, timeZone, offPeak: { from, to } };
  const message = `${JSON.stringify(reconcileHours)} are no hours, as in 22:00-06:00`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}

/** When those jobs run that make every document anew, in the same hours. */
export function thoroughPlanOf({ reconcileThorough, ...hours }: HoursOptions): RunPlan | undefined {
  if (reconcileThorough === "continuous") {
    const message = "a thorough run reads every document: it is planned by a cron pattern";
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  return reconcilePlanOf({ ...hours, reconcile: reconcileThorough });
}

/** What the relay's jobs may take, also those that people ask it for. */
export function backgroundJobOf({
  reconcileWholeHours,
  reconcileShare: loopShare,
  reconcileReads: readsPerSecond,
}: Pick<
  RelayProjectionsOptions,
  "reconcileWholeHours" | "reconcileShare" | "reconcileReads"
>): BackgroundJob {
  const wholeLookMs = reconcileWholeHours * 60 * 60 * 1_000;
  return { wholeLookMs, pace: { readsPerSecond, loopShare } };
}

/** Projections beside a relay: followed, reconciled by a plan, and open to whoever may write into the folder. */
export class RelayProjections {
  readonly desk: LocalDesk;
  readonly #control: ControlServer | undefined;

  private constructor(desk: LocalDesk, control: ControlServer | undefined) {
    this.desk = desk;
    this.#control = control;
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`, `HEDDLE_CONFIG_INVALID`. */
  static async start(
    { data, loaded, ...plans }: RelayProjectionsParts,
    parts: { log: LogStore; environment: Environment; access: DocumentAccess },
  ): Promise<RelayProjections> {
    const running = { shareMax: feedShareMax, isServing: true };
    const desk = await LocalDesk.open({ data, loaded, ...plans, ...running, ...parts });
    try {
      const socket = controlSocketOf(data);
      const { logger } = parts.environment;
      const control = socket && (await ControlServer.start(socket, desk, logger));
      if (!control) logger.warn("projections.control_unavailable");
      desk.start();
      return new RelayProjections(desk, control || undefined);
    } catch (error) {
      await desk.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#control?.close();
    await this.desk.close();
  }
}
