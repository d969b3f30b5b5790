import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const blockBytes = 512;

/** Room that heddle's relay sets aside and gives back when the disk is full: 16 MB whatever is stored. */
const reserveName = "heddle-reserve";

/**
 * What a folder and all below it take of the disk, in MB (10^6 bytes): blocks, not lengths. The reserve of
 * a relay is not counted.
 */
export function diskMegabytes(folder: string): number {
  let blocks = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name !== reserveName)
      blocks += statSync(join(entry.parentPath, entry.name)).blocks;
  }
  return (blocks * blockBytes) / 1e6;
}
