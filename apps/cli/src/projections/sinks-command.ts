import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { CommandIo } from "../command-io.ts";
import { visibleText } from "../visible-text.ts";
import { operatorName } from "./operator-name.ts";
import type { SinkReport } from "./sink-reports.ts";
import { withDesk, type DeskOptions } from "./with-desk.ts";

export interface SinksOptions extends DeskOptions {
  readonly sink?: string;
  readonly limit: number;
  /** Ids, or `true` for all that are dead. */
  readonly retry?: readonly string[] | true;
  readonly drop?: readonly string[] | true;
}

/**
 * `heddle sinks [data]`: what sinks hand to the outside, what they gave up, and what an operator does about that.
 * Status 1 while something is dead.
 */
export async function sinksCommand(
  data: string,
  { sink, limit, retry, drop, ...options }: SinksOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const isActing = retry !== undefined || drop !== undefined;
  if (retry !== undefined && drop !== undefined) throw wrong("give --retry or --drop");
  if (isActing && sink === undefined) throw wrong("say of which sink, with --sink NAME");
  return await withDesk(data, options, io, async (desk) => {
    if (isActing) {
      const request = { sink: sink!, retry, drop, by: operatorName() };
      const settled = await desk.settleDead(request, stop);
      for (const one of settled) {
        const { id, outcome, reason } = one;
        const why = reason === undefined ? "" : `: ${reason}`;
        io.out(visibleText(options.json ? JSON.stringify(one) : `${outcome} ${id}${why}`));
      }
      return settled.every(({ outcome }) => outcome === "delivered" || outcome === "dropped")
        ? 0
        : 1;
    }
    const reports = await desk.sinks({ sink, limit });
    for (const report of reports) {
      if (options.json) io.out(visibleText(JSON.stringify(report)));
      else printReport(report, io);
    }
    if (reports.length === 0 && !options.json) io.out("no sink has ever run here");
    return reports.some(({ deadCount }) => deadCount > 0) ? 1 : 0;
  });
}

function printReport({ name, state, running, dead, ...counts }: SinkReport, io: CommandIo): void {
  const { deadCount, deadDropped } = counts;
  io.out(visibleText(`${name}: ${state}${running ? `, of ${running.owner}` : ""}`));
  if (running) {
    const { delivered, retried, undetermined, lagGroups, ageMs } = running;
    const seconds = Math.round(ageMs / 1_000);
    io.out(`  ${delivered} delivered, ${retried} attempts failed since the start`);
    if (seconds > 0 || lagGroups > 0) io.out(`  behind by ${lagGroups} groups, for ${seconds} s`);
    if (undetermined > 0) io.out(`  ${undetermined} looks at documents that could not be read`);
  }
  io.out(`  ${deadCount} dead, ${deadDropped} dropped for room or age`);
  for (const { id, at, document, seq, attempts, reason } of dead) {
    io.out(
      visibleText(`  ${id} ${at} document ${document} seq ${seq}, ${attempts} tries: ${reason}`),
    );
  }
  if (deadCount > dead.length) io.out(`  and ${deadCount - dead.length} more`);
}

function wrong(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
