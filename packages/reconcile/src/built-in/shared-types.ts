import type { DocumentName } from "@heddle/core";

import { isKey, type ProjectionDefinition, type RepairPolicy } from "../define-projection.ts";
import { isWellFormed, type RowValue } from "../row-value.ts";

/** As much of a `Y.Doc` as the built-in projections read. */
export interface SharedTypes {
  getMap(name: string): { toJSON(): Readonly<Record<string, unknown>> };
  getArray(name: string): { toJSON(): readonly unknown[] };
  getText(name: string): { toString(): string };
}

/** What every built-in projection can be told. */
export interface BuiltInOptions {
  /** Of the projection. */
  readonly name: string;
  readonly owner: string;
  /** Count it up when one of the other options changes. Default 1. */
  readonly version?: number;
  readonly policyVersion?: number;
  /** Default: one partition, `all`, for every document. */
  readonly partition?: (name: DocumentName) => string | undefined;
  /** Default `overwrite`. */
  readonly repair?: RepairPolicy;
}

type Common = Pick<
  ProjectionDefinition,
  "name" | "owner" | "version" | "policyVersion" | "partition" | "repair"
>;

export function commonOf(options: BuiltInOptions): Common {
  const { name, owner, version = 1, policyVersion = 1, repair = "overwrite" } = options;
  const { partition = () => "all" } = options;
  return { name, owner, version, policyVersion, partition, repair };
}

/**
 * Documents hold what people put there. What does not look as a built-in projection expects is passed over, so that
 * one strange entry does not keep all others of its document from being counted.
 */
export function textIn(value: unknown): string | undefined {
  return typeof value === "string" && isWellFormed(value) ? value : undefined;
}

export function keyIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && isKey(value) ? value : undefined;
}

export function numberIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The beginning of a text, without half a character at its end. */
export function beginningOf(text: string, lengthMax: number): string {
  const cut = text.slice(0, lengthMax);
  return isWellFormed(cut) ? cut : cut.slice(0, -1);
}

export const sum = {
  combine: (a: RowValue, b: RowValue): RowValue => (a as number) + (b as number),
  subtract: (total: RowValue, part: RowValue): RowValue => (total as number) - (part as number),
};

/** Adds to a count; whole numbers within what doubles hold exactly, or totals could not be taken apart again. */
export function count(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (Number.isSafeInteger(next)) counts.set(key, next);
}
