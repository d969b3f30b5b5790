import type { Sample } from "../load/jobs.ts";
import type { Table } from "./row.ts";

/** What is shown of each point of a curve. */
export interface CurveFigure {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

/** One table per figure; the points are its columns, so that growth is read from left to right. */
export function curveTables(
  curve: { readonly title: string; readonly explanation: string; readonly unit: string },
  points: readonly number[],
  figures: readonly CurveFigure[],
): Table[] {
  return figures.map(({ key, title, digits }) => ({
    title: `${curve.title}: ${title}`,
    explanation: curve.explanation,
    columns: points.map((point) => ({
      key: pointKey(key, point),
      title: `${point.toLocaleString("en")} ${curve.unit}`,
      digits,
    })),
  }));
}

/** The figures of one point under names of their own. */
export function samplesAt(point: number, sample: Sample): Sample {
  const entries = Object.entries(sample).map(([key, value]) => [pointKey(key, point), value]);
  return Object.fromEntries(entries) as Sample;
}

function pointKey(key: string, point: number): string {
  return `${key}At${point}`;
}
