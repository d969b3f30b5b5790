import type { DocumentId } from "@heddle/core";

import type { RecordPath } from "./record-path.ts";

/**
 * Where a projection keeps what. All but the first two kinds belong to one generation: one building of a
 * projection under one definition, numbered from 1 and never used again.
 *
 *   path                                               | record
 *   ---------------------------------------------------|----------------------------------------------
 *   live projection                                    | generation that is read
 *   generation projection number                       | definition digest, owner, state, when it began
 *   feed projection number                             | place in the change feed
 *   marker projection number partition document        | what of the document is in the rows
 *   row projection number partition document key       | what a document gives to a key
 *   share projection number partition key document     | the same by key, where totals cannot subtract
 *   total projection number partition key              | combined value, how many documents give to it
 *   late projection number partition                   | newest bucket, how many changes came late
 *   stalled projection number document                 | why a document could not be taken in
 *   job ...                                            | where a reconciliation job stands; its own business
 *   sink ...                                           | what a sink keeps: `sink-records.ts`
 */
export const recordKinds = [
  "live",
  "generation",
  "feed",
  "marker",
  "row",
  "share",
  "total",
  "late",
  "stalled",
  "job",
  "sink",
] as const;
export type RecordKind = (typeof recordKinds)[number];

/** Kinds that a generation owns, and that go with it. */
export const generationKinds = [
  "feed",
  "marker",
  "row",
  "share",
  "total",
  "late",
  "stalled",
] as const satisfies readonly RecordKind[];

/** One generation of one projection. */
export interface GenerationId {
  readonly projection: string;
  /** From 1. */
  readonly number: number;
}

export function livePath(projection: string): RecordPath {
  return ["live", projection];
}

export function generationPath({ projection, number }: GenerationId): RecordPath {
  return ["generation", projection, numberPart(number)];
}

/** All records of one kind of a generation, or those of one partition of it. */
export function kindPath(
  kind: (typeof generationKinds)[number],
  { projection, number }: GenerationId,
  partition?: string,
): RecordPath {
  const path = [kind, projection, numberPart(number)];
  return partition === undefined ? path : [...path, partition];
}

export function feedPath(generation: GenerationId): RecordPath {
  return kindPath("feed", generation);
}

export function markerPath(
  generation: GenerationId,
  partition: string,
  document: DocumentId,
): RecordPath {
  return [...kindPath("marker", generation, partition), document];
}

/** All rows of a document. */
export function documentRowsPath(
  generation: GenerationId,
  partition: string,
  document: DocumentId,
): RecordPath {
  return [...kindPath("row", generation, partition), document];
}

export function rowPath(
  generation: GenerationId,
  partition: string,
  document: DocumentId,
  key: string,
): RecordPath {
  return [...documentRowsPath(generation, partition, document), key];
}

/** All shares of a key. */
export function keySharesPath(
  generation: GenerationId,
  partition: string,
  key: string,
): RecordPath {
  return [...kindPath("share", generation, partition), key];
}

export function sharePath(
  generation: GenerationId,
  partition: string,
  key: string,
  document: DocumentId,
): RecordPath {
  return [...keySharesPath(generation, partition, key), document];
}

export function totalPath(generation: GenerationId, partition: string, key: string): RecordPath {
  return [...kindPath("total", generation, partition), key];
}

export function latePath(generation: GenerationId, partition: string): RecordPath {
  return kindPath("late", generation, partition);
}

export function stalledPath(generation: GenerationId, document: DocumentId): RecordPath {
  return [...kindPath("stalled", generation), document];
}

/** Eight digits at least, so that the order of text is the order of numbers. */
export function numberPart(number: number): string {
  return String(number).padStart(8, "0");
}
