import type { CommandIo } from "../command-io.ts";
import { visibleText } from "../visible-text.ts";
import {
  stalledShownMax,
  type GenerationLine,
  type ProjectionReport,
  type RowLine,
} from "./projection-reports.ts";
import { withDesk, type DeskOptions } from "./with-desk.ts";

export interface ProjectionsOptions extends DeskOptions {
  readonly projection?: string;
  readonly partition?: string;
  readonly key?: string;
  readonly limit: number;
}

/**
 * `heddle projections [data]`: which there are and how far they have come; of one that is named, what it says. Status 1
 * when a document could not be taken in, following fails, or there is no such key.
 */
export async function projectionsCommand(
  data: string,
  { projection, partition, key, limit, ...options }: ProjectionsOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  return await withDesk(data, options, io, async (desk) => {
    if (projection !== undefined) {
      const rows = await desk.rows({ projection, partition, key, limit }, stop);
      for (const row of rows)
        io.out(visibleText(options.json ? JSON.stringify(row) : rowText(row)));
      return (key !== undefined && rows.length === 0) || rows.some(isDamaged) ? 1 : 0;
    }
    const reports = await desk.projections({});
    for (const report of reports) {
      if (options.json) io.out(visibleText(JSON.stringify(report)));
      else printReport(report, io);
    }
    if (reports.length === 0 && !options.json) io.out("no projection was ever built here");
    return reports.every(isWell) ? 0 : 1;
  });
}

function isDamaged({ value }: RowLine): boolean {
  return value === undefined;
}

function isWell({ state, stalled }: ProjectionReport): boolean {
  return state !== "failing" && stalled === 0;
}

function rowText({ partition, key, value }: RowLine): string {
  return `${partition} ${key} ${JSON.stringify(value) ?? "cannot be read: heddle reconcile"}`;
}

function printReport(
  { name, state, live, building, stalled, running }: ProjectionReport,
  io: CommandIo,
): void {
  io.out(visibleText(`${name}: ${state}${live ? `, ${generationText(live)}` : ""}`));
  if (live === undefined) io.out("  nothing to read yet");
  if (building) io.out(visibleText(`  being built beside it: ${generationText(building)}`));
  if (state === "stopped")
    io.out("  no definition of it is known here: its rows are kept as they are");
  const count = stalled < stalledShownMax ? `${stalled}` : `${stalled} or more`;
  if (stalled > 0)
    io.out(`  ${count} documents could not be taken in, and keep the rows that they had`);
  if (!running) return;
  if (running.failures > 0) io.out(`  ${running.failures} turns failed since the start`);
  const { lastInvalid } = running;
  if (lastInvalid)
    io.out(
      visibleText(
        `  its definition failed on document ${lastInvalid.document}: ${lastInvalid.error}`,
      ),
    );
}

function generationText({
  number,
  version,
  policyVersion,
  owner,
  isComparing,
  arrival,
}: GenerationLine): string {
  const policy = policyVersion === 1 ? "" : `, policy ${policyVersion}`;
  const place = isComparing ? "comparing all documents" : `at group ${arrival ?? 0} of the feed`;
  return `generation ${number}, version ${version}${policy} of ${owner}, ${place}`;
}
