import {
  collectRows,
  encodeRowValue,
  type Projection,
  type RowValue,
  type SourceChange,
} from "@heddle/reconcile";
import fc from "fast-check";

export interface FoldLawOptions {
  /** Default 100. */
  readonly runs?: number;
  /** To repeat what a failure names. */
  readonly seed?: number;
  /** Also that combining a value with itself changes nothing, as with sets and maxima. */
  readonly isIdempotent?: boolean;
}

/**
 * Checks what a projection's totals depend on: that `combine` gives one value in whatever order documents come (it need not
 * be commutative in a canonical order), that `subtract` takes back exactly what was added, and that neither changes
 * what it is given nor gives what no row may hold.
 *
 * ```ts
 * test("likes add up in every order", () => {
 *   checkFoldLaws(likes, fc.integer());
 * });
 * ```
 *
 * @param values as the projection gives them for one key.
 * @throws what fast-check reports, with the values that break a law.
 */
export function checkFoldLaws<Value extends RowValue>(
  projection: Projection,
  values: fc.Arbitrary<Value>,
  { runs = 100, seed, isIdempotent = false }: FoldLawOptions = {},
): void {
  const { combine, subtract } = projection;
  const isOrdered = projection.kind === "fold" && projection.order === "canonical";
  const property = fc.property(values, values, values, (a, b, c) => {
    // What changes it fails at once; fast-check hands the same values out again.
    for (const value of [a, b, c]) freeze(value);
    const ab = combine(a, b);
    same("combine is not associative", combine(ab, c), combine(a, combine(b, c)));
    if (!isOrdered) same("combine is not commutative", ab, combine(b, a));
    if (isIdempotent) same("combine is not idempotent", combine(a, a), a);
    if (subtract) {
      same("subtract does not take back the last", subtract(ab, b), a);
      same("subtract does not take back the first", subtract(combine(ab, c), a), combine(b, c));
    }
  });
  fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
}

/**
 * Checks that a fold gives the same rows in whatever order the changes of a document come.
 *
 * @throws what fast-check reports.
 */
export function checkFoldOrder(
  projection: Projection,
  changes: fc.Arbitrary<readonly SourceChange[]>,
  { runs = 100, seed }: Omit<FoldLawOptions, "isIdempotent"> = {},
): void {
  if (projection.kind !== "fold" || projection.order !== "any") {
    throw new Error(`${projection.name} does not fold changes in any order`);
  }
  const { fold, combine, name } = projection;
  const rowsOf = (list: readonly SourceChange[]): string => {
    const rows = collectRows(
      name,
      list.flatMap((change) => [...fold(change)]),
      combine,
    );
    return JSON.stringify([...rows].map(([key, value]) => [key, bytesOf(value)]).toSorted());
  };
  const orders = changes.chain((list) => {
    return fc.tuple(fc.constant(list), fc.shuffledSubarray([...list], { minLength: list.length }));
  });
  const property = fc.property(orders, ([list, shuffled]) => {
    if (rowsOf(list) !== rowsOf(shuffled)) throw new Error("rows depend on the order of changes");
  });
  fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
}

function freeze(value: RowValue): void {
  if (typeof value !== "object" || value === null) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part as RowValue);
}

function same(what: string, a: RowValue, b: RowValue): void {
  if (bytesOf(a) !== bytesOf(b)) throw new Error(`${what}: ${bytesOf(a)} and ${bytesOf(b)}`);
}

/** @throws HeddleError `HEDDLE_PROJECTION_INVALID` */
function bytesOf(value: RowValue): string {
  return new TextDecoder().decode(encodeRowValue(value));
}
