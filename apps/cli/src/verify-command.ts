import { readdirSync } from "node:fs";
import path from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { nodeHash, readDeviceKey } from "@heddle/replica/node";
import {
  logFolderName,
  markerName,
  replaceName,
  verifyFolder,
  witnessName,
  type Finding,
  type FolderReport,
} from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { deviceKeyName } from "./device-key-name.ts";
import { formatBytes } from "./format-bytes.ts";

export interface VerifyOptions {
  readonly json?: boolean;
}

/** Findings that a person is shown; `--json` has all of them. */
const findingsShown = 50;

/**
 * `heddle verify <data>`: reads every file and every record of a store and proves what can be proved.
 * Writes nothing. Status 1 when something is damaged.
 */
export async function verifyCommand(
  data: string,
  options: VerifyOptions,
  io: CommandIo,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  const startedMs = performance.now();
  const deviceFile = readDeviceKey(path.join(folder, deviceKeyName));
  const report = await verifyFolder(folder, { hash: nodeHash, deviceFile });
  const tookMs = Math.round(performance.now() - startedMs);
  const isDamaged = report.findings.some(({ severity }) => severity === "damage");
  if (options.json) io.out(JSON.stringify({ ok: !isDamaged, ...report, tookMs }));
  else printReport(report, tookMs, io);
  return isDamaged ? 1 : 0;
}

/**
 * A folder that has lost its marker is still one.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID`, or `HEDDLE_STORAGE_IO` when nobody may look.
 */
export function assertDataFolder(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    const isThere = !["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "");
    if (!isThere) throw noDataFolder(folder);
    const message = `${folder} could not be read: ${String(cause)}`;
    throw new HeddleError(HeddleErrorCode.storageIo, message, { cause });
  }
  const known = [markerName, logFolderName, witnessName, replaceName];
  if (!known.some((name) => names.includes(name))) throw noDataFolder(folder);
}

function noDataFolder(folder: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, `${folder} is no data folder of a relay`);
}

function printReport(report: FolderReport, tookMs: number, io: CommandIo): void {
  const { totals, isInUse } = report;
  const { tables, fileBytes, records, documents, envelopes, lanes, lastGroup } = totals;
  if (isInUse) io.out("the store is in use: this is about a copy of it, made now");
  io.out(
    `read ${formatBytes(fileBytes)} in ${tables} tables, ${records} records in ${tookMs} ms: ` +
      `${documents} documents, ${envelopes} envelopes, ${lanes} lanes, ${lastGroup} commit groups`,
  );
  printFindings(report.findings, io);
}

/** Damage first; the last line says how it ended. */
export function printFindings(findings: readonly Finding[], io: CommandIo): void {
  const damages = findings.filter(({ severity }) => severity === "damage");
  const notices = findings.filter(({ severity }) => severity === "notice");
  for (const { part, what, file } of [...damages, ...notices].slice(0, findingsShown)) {
    io.out(`  ${part}${file ? ` ${file}` : ""}: ${what}`);
  }
  const more = findings.length - findingsShown;
  if (more > 0) io.out(`  … and ${more} more; --json has all of them`);
  if (damages.length === 0) {
    io.out(notices.length === 0 ? "whole: nothing to report" : "whole, with the notes above");
    return;
  }
  const documents = new Set(damages.flatMap(({ document }) => document ?? []));
  io.out(`damaged: ${damages.length} findings in ${documents.size} documents`);
  io.out("nothing was changed; see docs/operations.md, Damage");
}
