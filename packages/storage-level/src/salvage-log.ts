import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import type { ReportFault, SalvagedEntry } from "./level-entries.ts";
import { storageError } from "./level-errors.ts";
import { isMissing } from "./files.ts";
import { describeKey, isSelfProving } from "./key-kinds.ts";
import { isKeyShape, isRecordWhole } from "./record-shape.ts";
import { entriesOfPiece } from "./salvage-batch.ts";
import { entriesOfBlock } from "./salvage-block.ts";
import type { SalvageDatabase } from "./salvage-database.ts";
import type { SalvageFindings } from "./salvage-findings.ts";
import { findSalvageFiles, type SalvageFile } from "./salvage-files.ts";
import { piecesOfLog } from "./salvage-log-file.ts";
import { blocksOfTable } from "./salvage-table-file.ts";

/** Read whole, one at a time. LevelDB's own have a few MiB, or as much as one commit group. */
const fileBytesMax = 512 * 1024 * 1024;

/**
 * Copies every version of every record that is whole from LevelDB's files in `folder` to `target`, reading
 * each file once and without LevelDB: it would end its process at one damage, and drop a whole table
 * at another. Whatever could not be read is in `findings`, as damage.
 */
export async function salvageLog(
  folder: string,
  target: SalvageDatabase,
  findings: SalvageFindings,
): Promise<void> {
  const files = await findSalvageFiles(folder, findings);
  let lastNamed = 0n;
  const lastUnnamed = new Map<string, bigint>();
  for (const file of files) {
    const last = await salvageFile(folder, file, target, findings);
    if (file.isNamed) lastNamed = last > lastNamed ? last : lastNamed;
    else lastUnnamed.set(file.name, last);
  }
  await target.flush();
  for (const [name, last] of lastUnnamed) {
    if (last <= lastNamed) continue;
    findings.damage(
      "manifest",
      "it does not name a file that is newer than all it names: it is older than they are",
      name,
    );
  }
}

/**
 * Logs of LevelDB that an opening set aside, as they were damaged, in the folder `quarantine`. What LevelDB
 * did not read of them had been acknowledged. Its sequences were given again: only what names itself
 * is taken, and never in place of what came later.
 */
export async function salvageSetAside(
  quarantine: string,
  target: SalvageDatabase,
  findings: SalvageFindings,
): Promise<void> {
  for (const name of await namesIn(quarantine)) {
    if (!/-\d+\.log$/.test(name)) continue;
    const file = { name, isNamed: false };
    const bytes = await readSalvageFile(quarantine, file, findings);
    const fault: ReportFault = (offset, why) =>
      findings.notice("log-file", `at ${offset}: ${why}`, name);
    for (const entry of bytes ? entriesOf(name, bytes, fault, () => 0n) : []) {
      const isOwn = entry.value && isSelfProving(entry.key);
      if (isOwn && isWorthKeeping(entry)) await target.put({ ...entry, sequence: 0n });
    }
  }
  await target.flush();
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw storageError(cause, "the quarantine could not be read");
  }
}

/** Returns the highest sequence among what is whole. */
async function salvageFile(
  folder: string,
  file: SalvageFile,
  target: SalvageDatabase,
  findings: SalvageFindings,
): Promise<bigint> {
  const { name, isNamed } = file;
  const part = name.endsWith(".log") ? "log-file" : "table";
  const bytes = await readSalvageFile(folder, file, findings);
  // A file that belongs to nothing any more may be damaged: everything in it is elsewhere.
  const tell = (what: string) => findings[isNamed ? "damage" : "notice"](part, what, name);
  const fault: ReportFault = (offset, why) => tell(`at ${offset}: ${why}`);
  let last = 0n;
  for (const entry of bytes ? entriesOf(name, bytes, fault, () => last) : []) {
    if (entry.provenance === "whole" && entry.sequence > last) last = entry.sequence;
    if (isWorthKeeping(entry)) await target.put(entry);
    else if (entry.provenance === "whole") {
      const what = isKeyShape(entry.key) ? describeKey(entry.key) : "a key";
      tell(`${what} is damaged: its checksum differs`);
    }
  }
  return last;
}

async function readSalvageFile(
  folder: string,
  { name, bytes: expected, isNamed }: SalvageFile,
  findings: SalvageFindings,
): Promise<Uint8Array | undefined> {
  const part = name.endsWith(".log") ? "log-file" : "table";
  const tell = (what: string) => findings[isNamed ? "damage" : "notice"](part, what, name);
  try {
    const path = join(folder, name);
    const { size } = await stat(path);
    if (expected !== undefined && size !== expected) {
      tell(`it has ${size} bytes where the manifest says ${expected}`);
    }
    if (size <= fileBytesMax) return await readFile(path);
    findings.damage(part, `it has ${size} bytes, and more than ${fileBytesMax} are not read`, name);
  } catch (error) {
    tell(isMissing(error) ? "it is missing" : `it cannot be read: ${String(error)}`);
  }
  return undefined;
}

function* entriesOf(
  name: string,
  bytes: Uint8Array,
  fault: ReportFault,
  last: () => bigint,
): Iterable<SalvagedEntry> {
  if (name.endsWith(".log")) {
    for (const piece of piecesOfLog(bytes, fault)) yield* entriesOfPiece(piece, last());
    return;
  }
  for (const { content, isWhole } of blocksOfTable(bytes, fault)) {
    yield* entriesOfBlock(content, isWhole);
  }
}

/** A deletion has no checksum of its own: it is believed where LevelDB's was right. */
function isWorthKeeping({ key, value, provenance }: SalvagedEntry): boolean {
  if (!isKeyShape(key)) return false;
  if (!value) return provenance === "whole";
  return (provenance !== "found" || isSelfProving(key)) && isRecordWhole(key, value);
}
