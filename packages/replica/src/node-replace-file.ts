import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";

/**
 * Writes a whole file that only its owner may read, in place of what was there: a crash leaves the old
 * one or the new one, a power cut after it is done the new one. Folders on the way are made. Several may write
 * the same file at once, in one process or several: at the end one of the texts is there, and whole.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  // Of this write alone: two that shared one would put a mixture in place.
  const temporary = `${file}.${randomBytes(6).toString("hex")}.new`;
  try {
    await writeWhole(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Without it a power cut may bring the old file back, and with it a device that was revoked. */
async function syncFolder(folder: string): Promise<void> {
  // Windows has no way to sync a folder through a handle; there NTFS journals the rename.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
