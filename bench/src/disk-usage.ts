import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const blockBytes = 512;

/** What a folder and all below it take of the disk, in MB (10^6 bytes): blocks, not lengths. */
export function diskMegabytes(folder: string): number {
  let blocks = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) blocks += statSync(join(entry.parentPath, entry.name)).blocks;
  }
  return (blocks * blockBytes) / 1e6;
}
