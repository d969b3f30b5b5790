import { readdir } from "node:fs/promises";

import { isHeddleError } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import {
  isLogMissing,
  readLevelFolder,
  readLevelFolderBy,
  tableName,
  type LevelFolder,
} from "./level-folder.ts";
import { isMissing } from "./files.ts";
import { readLevelLog } from "./level-log-format.ts";
import type { SalvageFindings } from "./salvage-findings.ts";

/** A file of LevelDB that may hold records. */
export interface SalvageFile {
  readonly name: string;
  /** The manifest names it; where there is none to ask, every file counts as named. */
  readonly isNamed: boolean;
  /** As the manifest says. */
  readonly bytes?: number | undefined;
}

/**
 * Every table and log in `folder`, and those that the manifest names and that are gone. Files that
 * it does not name are read, too: the manifest may be the one that is damaged, or older than they are.
 */
export async function findSalvageFiles(
  folder: string,
  findings: SalvageFindings,
): Promise<SalvageFile[]> {
  const names = await namesIn(folder, findings);
  const found = await findLevelFolder(folder, names, findings);
  const tables = new Map<string, number>();
  const logs = new Set(found?.logs);
  for (const [number, bytes] of found?.manifest.tables ?? []) tables.set(tableName(number), bytes);
  const files = names.filter((name) => /^\d+\.(?:ldb|sst|log)$/.test(name));
  const gone = [...tables.keys()].filter((name) => !files.includes(name));
  return [...files, ...gone].toSorted().map((name) => {
    const isNamed = found === undefined || tables.has(name) || logs.has(name);
    return { name, isNamed, bytes: tables.get(name) };
  });
}

async function namesIn(folder: string, findings: SalvageFindings): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (!isMissing(cause)) throw storageError(cause, "the log could not be read");
    findings.damage("manifest", "the folder of the log is missing");
    return [];
  }
}

/** `undefined` where no manifest can be relied on; why is then among the findings, as damage. */
async function findLevelFolder(
  folder: string,
  names: readonly string[],
  findings: SalvageFindings,
): Promise<LevelFolder | undefined> {
  const found = await readByCurrent(folder, names, findings);
  if (!found) return undefined;
  const { manifest, manifestBytes, manifestName } = found;
  if (readLevelLog(manifestBytes).faults.length > 0) {
    findings.damage("manifest", "its end is not finished: it may have named more", manifestName);
  } else if (manifest.logNumber === 0) {
    findings.damage("manifest", "its end is lost", manifestName);
  } else if (isLogMissing(found)) {
    findings.damage("log-file", `log ${manifest.logNumber} is missing, which the manifest names`);
  } else {
    return found;
  }
  return undefined;
}

async function readByCurrent(
  folder: string,
  names: readonly string[],
  findings: SalvageFindings,
): Promise<LevelFolder | undefined> {
  try {
    return await readLevelFolder(folder);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    const [manifestName, another] = names.filter((name) => name.startsWith("MANIFEST-"));
    if (manifestName !== undefined && another === undefined) {
      try {
        const found = await readLevelFolderBy(folder, manifestName);
        // CURRENT holds nothing but this name.
        findings.notice("manifest", error.message);
        return found;
      } catch (again) {
        if (!isHeddleError(again)) throw again;
      }
    }
    findings.damage("manifest", error.message);
    return undefined;
  }
}
