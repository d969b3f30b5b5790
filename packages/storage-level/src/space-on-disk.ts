import { access, open, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

import type { Random } from "@heddle/core";

import { syncFolder } from "./replace-file.ts";
import type { SpaceActions } from "./space-guard.ts";
import { reserveName } from "./store-layout.ts";

const blockBytes = 256 * 1024;

/** The file system of `folder`, and the reserve in it. */
export function spaceOnDisk(folder: string, reserveBytes: number, random: Random): SpaceActions {
  const path = join(folder, reserveName);
  return {
    async freeBytes() {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    async hasReserve() {
      try {
        await access(path);
        return true;
      } catch {
        return false; // Whatever keeps it from being seen: it is made again.
      }
    },
    async makeReserve() {
      // Noise, as a file of zeros takes no room on a file system that compresses.
      const block = random.bytes(blockBytes);
      const file = await open(`${path}.tmp`, "w", 0o600);
      try {
        for (let bytes = 0; bytes < reserveBytes; bytes += blockBytes) await file.write(block);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.tmp`, path);
      await syncFolder(folder);
    },
    async releaseReserve() {
      await rm(`${path}.tmp`, { force: true });
      await rm(path, { force: true });
    },
  };
}
