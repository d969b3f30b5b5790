import { HeddleError, HeddleErrorCode, toHex, type Hash } from "@heddle/core";

import type { Projection } from "../define-projection.ts";
import { projectionLimits } from "../projection-limits.ts";
import { encodeRowValue } from "../row-value.ts";
import { capName } from "./cap-record.ts";
import type { JobOptions } from "./job-options.ts";
import type { LiveGeneration } from "./live-generation.ts";

/** Digest in hex of what a run is about: one of another plan does not go on where this one was. */
export function planDigest(
  hash: Hash,
  projection: Projection,
  { generation, definition }: Pick<LiveGeneration, "generation" | "definition">,
  options: JobOptions,
): string {
  const { partitions, documents, keys, sample } = options.scope;
  const facts = {
    projection: projection.name,
    definition,
    repair: projection.repair,
    isThorough: options.isThorough,
    generation: generation.number,
    partitions: { from: partitions?.from ?? null, to: partitions?.to ?? null },
    keys: { from: keys?.from ?? null, to: keys?.to ?? null },
    documents: documents?.toSorted() ?? null,
    sample: sample === undefined ? null : { ratio: sample.ratio, seed: sample.seed },
  };
  return toHex(hash.sha256(encodeRowValue(facts, projectionLimits.recordBytesMax)));
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` for options that cannot be meant. */
export function assertJobOptions(options: JobOptions, projection: Projection): void {
  const { pace, correctionsMax, leaseMs, feedWaitMs, checkpointMs, scope, name, holder } = options;
  const { leaseTtlMsMin, leaseTtlMsMax } = projectionLimits;
  const checks: readonly (readonly [boolean, string])[] = [
    [isShort(name), "a job has a name of up to 128 characters without blanks"],
    [name !== capName, `no job is named ${capName}`],
    [isShort(holder), "a holder has a name of up to 128 characters without blanks"],
    [pace.readsPerSecond > 0, "reads per second are above 0"],
    [pace.loopShare > 0 && pace.loopShare <= 1, "a share of the event loop is above 0 and up to 1"],
    [Number.isInteger(correctionsMax) && correctionsMax >= 0, "a cap is a whole number"],
    [leaseMs >= leaseTtlMsMin && leaseMs <= leaseTtlMsMax, "a lease lasts 100 ms to a day"],
    [feedWaitMs >= 0 && checkpointMs >= 0 && options.wholeLookMs >= 0, "times are not below 0"],
    [
      scope.sample === undefined || (scope.sample.ratio > 0 && scope.sample.ratio < 1),
      "a sample is above 0 and below 1",
    ],
    [
      projection.repair !== "emit" || options.onCorrection !== undefined || options.isDryRun,
      `projection ${projection.name} hands its corrections to the application, and nobody takes them`,
    ],
  ];
  const wrong = checks.find(([isRight]) => !isRight);
  if (wrong === undefined) return;
  throw new HeddleError(HeddleErrorCode.configInvalid, `no reconciliation job: ${wrong[1]}`);
}

function isShort(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}
