import path from "node:path";

import { nodeEnvironment } from "@heddle/replica/node";
import { backupStore, restoreStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { deviceKeyName } from "./device-key-name.ts";
import { formatBytes } from "./format-bytes.ts";
import { openLogger } from "./logger.ts";
import { assertDataFolder, printFindings } from "./verify-command.ts";

/** `heddle backup <data> <target>`: a verified copy, also of a store in use. Status 1 when it is damaged. */
export async function backupCommand(
  data: string,
  target: string,
  options: { readonly json?: boolean },
  io: CommandIo,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const alsoFiles = [deviceKeyName];
  const { backup, totals, findings } = await backupStore(folder, target, {
    environment,
    alsoFiles,
  });
  const isDamaged = findings.some(({ severity }) => severity === "damage");
  const { storeId, lastGroup, files } = backup;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (options.json) {
    const counts = { storeId, lastGroup, files: files.length, bytes, totals, findings };
    io.out(JSON.stringify({ ok: !isDamaged, target: path.resolve(target), ...counts }));
    return isDamaged ? 1 : 0;
  }
  io.out(`copied ${files.length} files, ${formatBytes(bytes)}, up to commit group ${lastGroup}`);
  io.out(`read it back: ${totals.documents} documents, ${totals.envelopes} envelopes`);
  printFindings(findings, io);
  io.out(
    `the backup is ${path.resolve(target)}; it holds the device key: keep it as you keep keys`,
  );
  return isDamaged ? 1 : 0;
}

/** `heddle restore <backup> <data>`: a data folder of a backup, which opens as rolled back. */
export async function restoreCommand(
  source: string,
  data: string,
  options: { readonly json?: boolean },
  io: CommandIo,
): Promise<number> {
  const environment = nodeEnvironment(openLogger(io, { level: "warn" }));
  const { storeId, takenAtMs, lastGroup, files } = await restoreStore(source, data, environment);
  const takenAt = new Date(takenAtMs).toISOString();
  if (options.json) {
    const target = path.resolve(data);
    io.out(JSON.stringify({ ok: true, target, storeId, takenAt, lastGroup, files: files.length }));
    return 0;
  }
  io.out(`restored store ${storeId} as it was at ${takenAt}: ${files.length} files, all as listed`);
  io.out(
    "its next start will say that it was rolled back, as it was; clients bring what they hold",
  );
  return 0;
}
