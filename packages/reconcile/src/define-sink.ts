import { encodeUtf8 } from "lib0/string";

import type { StopSignal } from "./jobs/stop-signal.ts";
import { projectionInvalid } from "./projection-error.ts";
import { projectionLimits } from "./projection-limits.ts";
import type { SourceChange, SourceDocument } from "./projection-source.ts";
import { isPathPart } from "./record-path.ts";

/** What became of one attempt to hand a change to the outside. */
export type Delivery =
  | { readonly outcome: "delivered" }
  /** It may work later: the same change again, before any other of its document. */
  | { readonly outcome: "failed"; readonly reason: string }
  /** It never will: the change is kept as dead, and the next one follows. */
  | { readonly outcome: "refused"; readonly reason: string };

/** With which change a sink begins when it is run for the first time: the first there is, or the first that comes. */
export const sinkOrigins = ["start", "now"] as const;
export type SinkOrigin = (typeof sinkOrigins)[number];

/** Waits in ms after failures, and when the breaker opens for how long; unset ones are those of peers. */
export interface SinkRetry {
  readonly delayMsMin?: number;
  readonly delayMsMax?: number;
  /** Failures in a row, from 1. */
  readonly failuresMax?: number;
  readonly openMs?: number;
}

/** How many changes that were given up are kept, and for how long; the oldest go first, and are counted. */
export interface DeadBounds {
  readonly countMax?: number;
  readonly ageMsMax?: number;
}

/**
 * What hands changes to the outside: a webhook, a queue, a mail. At least once: whoever takes them recognises a
 * repeat by the id of the change.
 */
export interface SinkDefinition {
  /** `[a-z][a-z0-9-]*`, at most 64. */
  readonly name: string;
  readonly owner: string;
  /** Which documents it looks at; default all. */
  readonly accepts?: (document: SourceDocument) => boolean;
  /**
   * One attempt. A rejection counts as `failed`, and so does no answer within `answerMsMax`.
   *
   * @param key the idempotency key: the id of the envelope in hex, the same at every attempt.
   * @param signal is aborted when nobody waits for the answer any more.
   */
  readonly deliver: (change: SourceChange, key: string, signal: StopSignal) => Promise<Delivery>;
  /** Default `start`. Of a sink that has run before it says nothing any more. */
  readonly from?: SinkOrigin;
  /** Attempts for one change before it is kept as dead. From 1; default 100. */
  readonly attemptsMax?: number;
  /** Default a minute. */
  readonly answerMsMax?: number;
  readonly retry?: SinkRetry;
  readonly keepsDead?: DeadBounds;
}

/** A definition that {@link defineSink} has found good. */
export interface Sink extends SinkDefinition {
  readonly accepts: (document: SourceDocument) => boolean;
  readonly from: SinkOrigin;
  readonly attemptsMax: number;
  readonly answerMsMax: number;
  readonly retry: SinkRetry;
  readonly keepsDead: Required<DeadBounds>;
}

/** With back-off and breaker, some hours. */
const attemptsMaxDefault = 100;
const answerMsMaxDefault = 60_000;

/** @throws HeddleError `HEDDLE_PROJECTION_INVALID`, which says what is wrong. */
export function defineSink(definition: SinkDefinition): Sink {
  const { accepts = () => true, from = "start", retry = {}, keepsDead = {} } = definition;
  const { attemptsMax = attemptsMaxDefault, answerMsMax = answerMsMaxDefault } = definition;
  const { deadChangesMax: countMax, deadChangeMsMax: ageMsMax } = projectionLimits;
  const sink = {
    ...definition,
    accepts,
    from,
    attemptsMax,
    answerMsMax,
    retry,
    keepsDead: { countMax, ageMsMax, ...keepsDead },
  };
  const wrong = wrongIn(sink);
  if (wrong === undefined) return Object.freeze(sink);
  throw projectionInvalid(`sink ${String(definition.name).slice(0, 80)}`, wrong);
}

function wrongIn(sink: Sink): string | undefined {
  const { name, owner, accepts, deliver, from, attemptsMax, answerMsMax, retry, keepsDead } = sink;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    return "a name is [a-z][a-z0-9-]*";
  }
  const isOwned = typeof owner === "string" && owner.trim() !== "" && isPathPart(owner);
  if (!isOwned || encodeUtf8(owner).length > projectionLimits.ownerBytesMax) {
    return "it has no owner of a few words";
  }
  if (typeof deliver !== "function" || typeof accepts !== "function") {
    return "deliver and accepts are functions";
  }
  if (!sinkOrigins.includes(from)) return `from is one of ${sinkOrigins.join(", ")}`;
  const { delayMsMin = 1, delayMsMax = 1, failuresMax = 1, openMs = 1 } = retry;
  const counts = { attemptsMax, answerMsMax, delayMsMin, delayMsMax, failuresMax, openMs };
  for (const [what, count] of Object.entries({ ...counts, ...keepsDead })) {
    if (!Number.isSafeInteger(count) || count < 1) return `${what} is a whole number from 1`;
  }
  return keepsDead.countMax > projectionLimits.deadChangesMax
    ? `countMax is at most ${projectionLimits.deadChangesMax}`
    : undefined;
}
