import { displayWidth, padDisplay } from "./display-width.ts";

/** Columns as wide as what is in them, two blanks apart; no lines, no colours. */
export function textTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(heads, rows);
  return [heads, ...rows]
    .map((row) => row.map((cell, column) => padDisplay(cell, widths[column]!)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** In cells. */
export function columnWidths(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): readonly number[] {
  return heads.map((head, column) => {
    return Math.max(displayWidth(head), ...rows.map((row) => displayWidth(row[column]!)));
  });
}
