import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";

/**
 * Writes a whole file that only its owner may read, in place of what was there: a crash leaves the old
 * one or the new one, a power cut after it is done the new one. Folders on the way are made.
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
  await syncFolder(path.dirname(file));
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
