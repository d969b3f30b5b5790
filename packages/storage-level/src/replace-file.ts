import { open, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Puts `text` in the place of `path` so that a crash leaves either the old file or the new one, both
 * whole. `text` may depend on the file that will hold it.
 *
 * @throws what the system throws.
 */
export async function replaceFile(
  path: string,
  text: string | ((file: FileHandle) => Promise<string>),
): Promise<void> {
  const file = await open(`${path}.tmp`, "w", 0o600);
  try {
    await file.writeFile(typeof text === "string" ? text : await text(file));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
  await syncFolder(dirname(path));
}

/** Puts the entries of a folder on disk: what was made, renamed or removed in it. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows has no way to sync a folder through a handle; there NTFS journals the rename.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
