import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { Cron } from "croner";

/** When a reconciliation job runs by itself. */
export interface RunPlan {
  readonly when:
    /** Again and again; from the end of one run to the beginning of the next. */
    | { readonly mode: "continuous"; readonly everyMs: number }
    /** A cron pattern of five fields, or six with seconds in front. */
    | { readonly mode: "scheduled"; readonly pattern: string };
  /** Hours in which it may run; a run that is not over when they are is carried on in the next ones. */
  readonly offPeak?: OffPeakHours | undefined;
  /** IANA name for the pattern and the hours, `Europe/Berlin`; that of the process without it. */
  readonly timeZone?: string | undefined;
}

/** `HH:MM` of a wall clock. `to` may be the next morning. */
export interface OffPeakHours {
  readonly from: string;
  readonly to: string;
}

/**
 * Answers when a job is due. Knows no timers: what it says follows from the time that it is given.
 *
 * Hours are those of the wall clock in the time zone, so that a night in which clocks are changed is
 * an hour longer or shorter, and no run is doubled or left out.
 */
export class PlannedRuns {
  readonly #when: RunPlan["when"];
  readonly #pattern: Cron | undefined;
  readonly #opening: Cron | undefined;
  readonly #closing: Cron | undefined;

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` for a pattern, an hour or a time zone that is none. */
  constructor({ when, offPeak, timeZone }: RunPlan) {
    this.#when = when;
    const options = { ...(timeZone !== undefined && { timezone: timeZone }) };
    const cron = (pattern: string): Cron => newCron(pattern, options);
    this.#pattern = when.mode === "scheduled" ? cron(when.pattern) : undefined;
    if (offPeak === undefined) return;
    if (offPeak.from === offPeak.to) throw invalid(`off-peak hours ${offPeak.from} to itself`);
    this.#opening = cron(patternOf(offPeak.from));
    this.#closing = cron(patternOf(offPeak.to));
  }

  /** When the hours end in which it may run now; `undefined` when it may not, Infinity without any. */
  openUntilMs(nowMs: number): number | undefined {
    if (this.#opening === undefined || this.#closing === undefined) return Infinity;
    const closesMs = nextOf(this.#closing, nowMs);
    return closesMs < nextOf(this.#opening, nowMs) ? closesMs : undefined;
  }

  /** When the next run is due: `endedMs` is the end of the last one; `isCutShort` when its hours were over. */
  nextMs(nowMs: number, { endedMs, isCutShort }: LastRun): number {
    return this.openFromMs(this.#dueMs(nowMs, endedMs, isCutShort));
  }

  /** The first moment from then on at which it may run. */
  openFromMs(ms: number): number {
    return this.openUntilMs(ms) === undefined ? nextOf(this.#opening!, ms) : ms;
  }

  #dueMs(nowMs: number, endedMs: number | undefined, isCutShort: boolean): number {
    if (isCutShort) return nowMs;
    if (this.#when.mode === "scheduled") return nextOf(this.#pattern!, nowMs);
    return endedMs === undefined ? nowMs : Math.max(nowMs, endedMs + this.#when.everyMs);
  }
}

export interface LastRun {
  readonly endedMs?: number | undefined;
  readonly isCutShort: boolean;
}

function newCron(pattern: string, options: { timezone?: string }): Cron {
  try {
    const cron = new Cron(pattern, options);
    // A time zone that is none is met only now; so is a pattern that never comes, as 30 February.
    if (cron.nextRun(new Date(0)) === null) throw new RangeError("it never comes");
    return cron;
  } catch (cause) {
    throw invalid(`${JSON.stringify(pattern)} of ${options.timezone ?? "the process"}`, cause);
  }
}

function patternOf(hour: string): string {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(hour) ?? [];
  if (hours === undefined || minutes === undefined) {
    throw invalid(`${JSON.stringify(hour)} as an hour, as in 22:00`);
  }
  return `${Number(minutes)} ${Number(hours)} * * *`;
}

function nextOf(cron: Cron, afterMs: number): number {
  return cron.nextRun(new Date(afterMs))?.getTime() ?? Infinity;
}

function invalid(what: string, cause?: unknown): HeddleError {
  const message = `a job cannot be planned by ${what}`;
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}
