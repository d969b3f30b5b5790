import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";

/**
 * Writes a whole file that only its owner may read, in place of what was there: a crash leaves the old
 * one or the new one. Folders on the way are made.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.new`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}
