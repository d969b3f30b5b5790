import path from "node:path";

import { nodeEnvironment } from "@heddle/replica/node";

import type { CommandIo } from "./command-io.ts";
import { openLogger } from "./logger.ts";
import {
  isDocumentComplete,
  isRepairComplete,
  type EnvelopeRange,
  type RepairedDocument,
  type RepairReport,
} from "./repair-report.ts";
import { repairStore } from "./repair-store.ts";
import { assertDataFolder } from "./verify-command.ts";

export interface RepairOptions {
  readonly to?: string;
  readonly replace?: boolean;
  readonly json?: boolean;
}

/** Findings that a person is shown; `--json` has a thousand. */
const findingsShown = 50;

/**
 * `heddle repair <data> [--to folder]`: a new data folder with all that can be saved. The damaged one is
 * read and left as it is. Status 0 only when it is proved that nothing is missing.
 */
export async function repairCommand(
  data: string,
  { to, replace = false, json = false }: RepairOptions,
  io: CommandIo,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  const environment = nodeEnvironment(openLogger(io, { level: "error" }));
  const { report, target, replaced } = await repairStore(folder, { to, replace }, environment);
  const setAside = replaced?.aside;
  const ok = report ? isRepairComplete(report) : replaced.ok;
  if (json) io.out(JSON.stringify({ ok, target, ...report, setAside, ended: !report }));
  else if (report) printReport(report, { ok, target }, io);
  else io.out(`an earlier repair had been interrupted: its new store is in ${target} now`);
  if (!json) {
    io.out(
      setAside === undefined
        ? `${folder} was not changed: keep it until nothing is missing any more`
        : `the damaged files are in ${setAside}: keep them until nothing is missing any more`,
    );
  }
  return ok ? 0 : 1;
}

function printReport(
  report: RepairReport,
  { ok, target }: { readonly ok: boolean; readonly target: string },
  io: CommandIo,
): void {
  const { documents, findings, records, damages, groupsLost } = report;
  const saved = documents.reduce((sum, { envelopes }) => sum + envelopes, 0);
  io.out(`${records} whole records, ${damages} damages`);
  for (const { part, what, file } of findings.slice(0, findingsShown)) {
    io.out(`  ${part}${file === undefined ? "" : ` ${file}`}: ${what}`);
  }
  const more = damages - findingsShown;
  if (more > 0) io.out(`  … and ${more} more; --json has a thousand of them`);
  io.out(`saved ${documents.length} documents, ${saved} envelopes, in ${target}`);
  for (const document of documents) if (!isDocumentComplete(document)) printDocument(document, io);
  if (groupsLost > 0) {
    io.out(`  ${groupsLost} commit groups are lost: nobody knows which documents were in them`);
  }
  io.out(
    ok
      ? "nothing is missing, up to the last commit group that the witness names"
      : "something is missing, or may be: clients, other replicas or a backup have to bring it",
  );
}

function printDocument(document: RepairedDocument, io: CommandIo): void {
  const { name, isNameLost, envelopes, resealed, missing, historyLost, unknownLanes } = document;
  io.out(`  ${isNameLost ? `a document whose name is lost, kept as ${name}` : name}:`);
  io.out(`    ${envelopes} envelopes saved`);
  if (resealed > 0) io.out(`    ${resealed} of them in a new lane: the record of theirs is lost`);
  for (const range of missing) io.out(`    missing: ${describe(range)}`);
  for (const range of historyLost) io.out(`    only the content is left: ${describe(range)}`);
  if (unknownLanes > 0) io.out(`    missing: envelopes of lanes of which nothing is left`);
}

function describe({ lane, fromSeq, toSeq }: EnvelopeRange): string {
  return `envelopes ${fromSeq} to ${toSeq} of lane ${lane}`;
}
