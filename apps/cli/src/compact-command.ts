import path from "node:path";

import { nodeHash } from "@heddle/replica/node";
import { compactStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { formatBytes } from "./format-bytes.ts";
import { assertDataFolder } from "./verify-command.ts";

/** `heddle compact <data>`: gives back the room of what was replaced. The relay must be stopped. */
export async function compactCommand(
  data: string,
  options: { readonly json?: boolean },
  io: CommandIo,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  const { bytesBefore, bytesAfter } = await compactStore(folder, nodeHash);
  if (options.json) io.out(JSON.stringify({ ok: true, bytesBefore, bytesAfter }));
  else io.out(`${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after`);
  return 0;
}
