import { realpath, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";

import { HeddleError, HeddleErrorCode, toHex, type Hash } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

/**
 * Holds a data folder for one store. Two locks, both taken before LevelDB sees the path, because a
 * second open of LevelDB in one process fails and yet frees the folder for other processes:
 *
 * 1. Within the process, the real path in a registry that duplicate copies of this module share.
 * 2. Between processes, a name in the system that dies with its holder and leaves nothing to clean up:
 *    an abstract Unix socket on Linux, a named pipe on Windows.
 *
 * macOS and the BSDs have no such name (a socket file outlives its process), so there LevelDB's own
 * file lock keeps other processes out; the first lock takes away its weakness. It is also what is left
 * between two containers that share a folder but not the network namespace.
 */
export interface StoreLock {
  release(): Promise<void>;
}

/** @throws HeddleError `HEDDLE_STORAGE_LOCKED` (STO-5). */
export async function lockFolder(folder: string, hash: Hash): Promise<StoreLock> {
  const path = await realpath(folder);
  const held = heldFolders();
  if (held.has(path)) throw locked(folder, "this process");
  held.add(path);
  try {
    const address = await lockAddress(path, hash);
    const server = address === undefined ? undefined : await listen(address, folder);
    // While the lock was being taken, another folder may have been put in the place of this one.
    if (address !== (await lockAddress(path, hash))) {
      if (server) await closeServer(server);
      throw locked(folder, "somebody who replaced the folder");
    }
    return {
      async release() {
        if (server) await closeServer(server);
        held.delete(path);
      },
    };
  } catch (error) {
    held.delete(path);
    throw error;
  }
}

const registryKey = Symbol.for("heddle.storage-level.held-folders");

function heldFolders(): Set<string> {
  const registry = globalThis as { [registryKey]?: Set<string> };
  registry[registryKey] ??= new Set();
  return registry[registryKey];
}

/** By device and inode, so that a bind mount or a link to the folder is the same folder. */
async function lockAddress(path: string, hash: Hash): Promise<string | undefined> {
  const { dev, ino } = await stat(path, { bigint: true });
  const name = `heddle-${toHex(hash.sha256(encodeUtf8(`${dev}:${ino}`)).subarray(0, 16))}`;
  if (process.platform === "linux") return `\0${name}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return undefined;
}

function listen(address: string, folder: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Nobody has anything to say here; whoever connects is hung up on.
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isHeld = error.code === "EADDRINUSE" || error.code === "EACCES";
      reject(isHeld ? locked(folder, "another process", error) : error);
    });
    server.listen(address, () => {
      // A lock must not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function locked(folder: string, holder: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  const message = `the store in ${folder} is held by ${holder}`;
  return new HeddleError(HeddleErrorCode.storageLocked, message, options);
}
