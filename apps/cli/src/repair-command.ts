import { rm } from "node:fs/promises";
import path from "node:path";

import type { Environment } from "@heddle/core";
import { nodeEnvironment } from "@heddle/replica/node";

import type { CommandIo } from "./command-io.ts";
import { openLogger } from "./logger.ts";
import { repairStore, replaceStore, type RepairReport } from "./repair-store.ts";
import { assertDataFolder } from "./verify-command.ts";

export interface RepairOptions {
  readonly to?: string;
  readonly replace?: boolean;
  readonly json?: boolean;
}

/**
 * `heddle repair <data> [--to folder]`: a new data folder with all that can be saved. The damaged one is
 * read and left as it is. Status 1 when something has to come from elsewhere.
 */
export async function repairCommand(
  data: string,
  { to, replace = false, json = false }: RepairOptions,
  io: CommandIo,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  const target = path.resolve(to ?? `${folder}-repaired`);
  const environment = nodeEnvironment(openLogger(io, { level: "error" }));
  const repaired = await repairStore(folder, target, environment);
  const report = replace ? await putInPlace(repaired, { folder, target, environment }) : repaired;
  const isComplete = report.documents.every(({ missing }) => missing.length === 0);
  // What lay at the end of a lane in a file that cannot be read may be named by nothing else.
  const ok = isComplete && report.documentsLost === 0 && unreadFiles(report).length === 0;
  const kept = replace ? folder : target;
  if (json) io.out(JSON.stringify({ ok, target: kept, ...report }));
  else printReport(report, { folder, target: kept }, io);
  return ok ? 0 : 1;
}

async function putInPlace(
  report: RepairReport,
  parts: { readonly folder: string; readonly target: string; readonly environment: Environment },
): Promise<RepairReport> {
  const { folder, target, environment } = parts;
  const setAside = await replaceStore(folder, target, environment.clock.nowMs());
  await rm(target, { recursive: true, force: true });
  return { ...report, setAside };
}

function unreadFiles({ findings }: RepairReport): string[] {
  const unread = findings.filter(({ part, severity }) => {
    return severity === "damage" && (part === "table" || part === "log-file");
  });
  return [...new Set(unread.map(({ file = "a file" }) => file))];
}

function printReport(
  report: RepairReport,
  { folder, target }: { readonly folder: string; readonly target: string },
  io: CommandIo,
): void {
  const { documents, findings, records, documentsLost, setAside } = report;
  const saved = documents.reduce((sum, { envelopes }) => sum + envelopes, 0);
  io.out(`${records} whole records, ${findings.length} damages`);
  io.out(`saved ${documents.length} documents, ${saved} envelopes, in ${target}`);
  for (const { name, envelopes, missing } of documents) {
    if (missing.length === 0) continue;
    io.out(`  ${name}: ${envelopes} envelopes; has to come from other replicas or a backup:`);
    for (const { lane, fromSeq, toSeq } of missing) {
      io.out(`    envelopes ${fromSeq} to ${toSeq} of lane ${lane}`);
    }
  }
  if (documentsLost > 0) io.out(`  ${documentsLost} documents whose names are lost`);
  for (const file of unreadFiles(report)) {
    io.out(`  ${file} could be read only in part: more may be missing than is named here`);
  }
  io.out(
    setAside === undefined
      ? `${folder} was not changed: keep it until nothing is missing any more`
      : `the damaged files are in ${setAside}: keep them until nothing is missing any more`,
  );
}
