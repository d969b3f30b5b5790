import {
  concatBytes,
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type DocumentName,
  type Hash,
} from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { projectionInvalid } from "./projection-error.ts";
import { projectionLimits } from "./projection-limits.ts";
import type { SourceChange, SourceDocument } from "./projection-source.ts";
import { isPathPart } from "./record-path.ts";
import { encodeRowValue, type RowValue } from "./row-value.ts";

/** What one document, or one change, gives to a key of its partition. */
export type Row<Value extends RowValue = RowValue> = readonly [key: string, value: Value];

/**
 * What a reconciliation job does with a row that differs from its source: writes what the source says
 * (`overwrite`), hands it to the application (`emit`), or reports it and nothing else (`never`).
 */
export const repairPolicies = ["overwrite", "emit", "never"] as const;
export type RepairPolicy = (typeof repairPolicies)[number];

interface CommonDefinition<Value extends RowValue = RowValue> {
  /** `[a-z][a-z0-9-]*`, at most 64. Two definitions of one name are two versions of one projection. */
  readonly name: string;
  /** Of the code in the functions below, from 1: change it whenever they would give other rows. */
  readonly version: number;
  /** Of the business rule behind it, from 1. */
  readonly policyVersion?: number;
  /** Who is asked when it drifts. */
  readonly owner: string;
  /**
   * The partition that a document belongs to, at most `keyBytesMax`; `undefined` for a document that
   * this projection does not look at. By the name alone, so that a document never moves.
   */
  readonly partition: (name: DocumentName) => string | undefined;
  /**
   * Adds up two values of one key: of two documents, or of two changes of one. Commutative and
   * associative, or totals depend on who was first: see `checkFoldLaws` of `@heddle/testkit`. A method, as is
   * `subtract`, so that a projection of some values is a projection.
   */
  combine(a: Value, b: Value): NoInfer<Value>;
  /**
   * `subtract(combine(a, b), b)` equals `a`. With it a changed document costs its own rows; without it
   * the totals of its keys are combined anew from all documents that give to them.
   */
  subtract?(total: Value, part: Value): NoInfer<Value>;
  readonly repair: RepairPolicy;
}

/** Rows of a document by its whole state. */
export interface DeriveDefinition<
  Content = unknown,
  Value extends RowValue = RowValue,
> extends CommonDefinition<Value> {
  /**
   * The rows of one document, each key once. A function of its arguments alone: no clock, no
   * randomness, nothing remembered. A method, so that a projection of some content is a projection.
   */
  derive(content: Content, document: SourceDocument): Iterable<Row<NoInfer<Value>>>;
}

/** Rows of a document by the changes in its log. */
export interface FoldDefinition<Value extends RowValue = RowValue> extends CommonDefinition<Value> {
  /** The rows of one change. A function of it alone. */
  fold(change: SourceChange): Iterable<Row<NoInfer<Value>>>;
  /**
   * `any`: changes are combined as they come, which `combine` makes the same in every order. `canonical`:
   * each key combines its changes by clock reading, lane and seq, and is folded again from
   * the log when an earlier one comes late; `combine` need not be commutative then, and documents are
   * combined in the order of their ids.
   */
  readonly order?: "any" | "canonical";
  /** A change is late when its bucket had ended by more than `graceMs` at the latest one of its partition. */
  readonly buckets?: { readonly ms: number; readonly graceMs: number };
}

export type ProjectionDefinition<Content = unknown, Value extends RowValue = RowValue> =
  | DeriveDefinition<Content, Value>
  | FoldDefinition<Value>;

/** A definition that {@link defineProjection} has found good. */
export type Projection<Content = unknown> = (
  | (DeriveDefinition<Content> & { readonly kind: "derive" })
  | (FoldDefinition & { readonly kind: "fold"; readonly order: "any" | "canonical" })
) & { readonly policyVersion: number };

/**
 * Checks a definition and makes it a projection: `defineProjection<Y.Doc, number>({ … })` for numbers that are made from
 * Yjs documents.
 *
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID`, which says what is wrong with it.
 */
export function defineProjection<Content = unknown, Value extends RowValue = RowValue>(
  definition: ProjectionDefinition<Content, Value>,
): Projection<Content> {
  checkCommon(definition);
  const { name, policyVersion = 1 } = definition;
  if ("derive" in definition) {
    if ("fold" in definition) throw refused(name, "it has both derive and fold");
    assertFunction(name, "derive", definition.derive);
    return Object.freeze({ ...definition, policyVersion, kind: "derive" });
  }
  const { fold, order = "any", buckets } = definition;
  assertFunction(name, "derive or fold", fold);
  if (order !== "any" && order !== "canonical") throw refused(name, `order ${String(order)}`);
  if (order === "canonical" && definition.subtract) {
    throw refused(name, "a canonical order cannot be undone by subtract");
  }
  if (buckets) {
    if (!isCount(buckets.ms, 1)) throw refused(name, "buckets take whole milliseconds");
    if (!isCount(buckets.graceMs, 0)) throw refused(name, "graceMs is whole milliseconds");
  }
  return Object.freeze({ ...definition, policyVersion, order, kind: "fold" });
}

function checkCommon(definition: CommonDefinition): void {
  const { name, version, policyVersion = 1, owner, partition, combine, subtract } = definition;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    throw refused(String(name).slice(0, 80), "a name is [a-z][a-z0-9-]*, at most 64");
  }
  if (!isCount(version, 1)) throw refused(name, "a version is a whole number from 1");
  if (!isCount(policyVersion, 1)) throw refused(name, "a policy version is a whole number from 1");
  if (typeof owner !== "string" || owner.trim() === "") throw refused(name, "it has no owner");
  if (!isPathPart(owner) || encodeUtf8(owner).length > projectionLimits.ownerBytesMax) {
    throw refused(name, `its owner is no text of at most ${projectionLimits.ownerBytesMax} bytes`);
  }
  assertFunction(name, "partition", partition);
  assertFunction(name, "combine", combine);
  if (subtract !== undefined) assertFunction(name, "subtract", subtract);
  if (!repairPolicies.includes(definition.repair)) {
    throw refused(
      name,
      `repair ${String(definition.repair)} is none of ${repairPolicies.join(", ")}`,
    );
  }
}

/**
 * What rows depend on, as 64 hex digits: name, versions, owner and way of folding. The code of the
 * functions is not in it, which is what `version` is for.
 */
export function definitionDigest(hash: Hash, projection: Projection): string {
  const { name, version, policyVersion, owner, kind, subtract } = projection;
  const order = projection.kind === "fold" ? projection.order : "any";
  const buckets = projection.kind === "fold" ? (projection.buckets ?? null) : null;
  const facts = {
    name,
    version,
    policyVersion,
    owner,
    kind,
    order,
    buckets: buckets && { ms: buckets.ms, graceMs: buckets.graceMs },
    subtracts: subtract !== undefined,
  };
  return toHex(hash.sha256(concatBytes([digestDomain, encodeRowValue(facts)])));
}

const digestDomain = encodeUtf8("heddle/projection/1");

/**
 * The partition of a document.
 *
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID` when the definition gives what is none.
 */
export function partitionOf(projection: Projection, name: DocumentName): string | undefined {
  let partition: unknown;
  try {
    partition = projection.partition(name);
  } catch (cause) {
    throw projectionInvalid(`projection ${projection.name}`, "partition fails on a name", cause);
  }
  if (partition === undefined) return undefined;
  if (typeof partition === "string" && isKey(partition)) return partition;
  throw refused(projection.name, "partition gives what is no text, or too long");
}

/** As {@link partitionOf}; `invalid` where the definition fails on the name, which people choose. */
export function partitionIn(
  projection: Projection,
  name: DocumentName,
): { readonly partition: string | undefined } | "invalid" {
  try {
    return { partition: partitionOf(projection, name) };
  } catch (error) {
    if (isHeddleError(error, HeddleErrorCode.projectionInvalid)) return "invalid";
    throw error;
  }
}

/** Whether `text` can be a key of a row or a partition. */
export function isKey(text: string): boolean {
  return isPathPart(text) && encodeUtf8(text).length <= projectionLimits.keyBytesMax;
}

function assertFunction(name: string, what: string, value: unknown): void {
  if (typeof value !== "function") throw refused(name, `${what} is no function`);
}

function isCount(value: unknown, least: number): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}

function refused(name: string, why: string): Error {
  return projectionInvalid(`projection ${name}`, why);
}
