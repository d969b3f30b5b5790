import { mkdirSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Database } from "@hocuspocus/extension-database";
import { Server } from "@hocuspocus/server";

/**
 * hocuspocus with its defaults and the storage that its manual shows first, with files in the place of a
 * database: the whole document 2 s after its last change, at least every 10 s while it changes.
 */
const folder = process.argv[2] ?? "";
mkdirSync(folder, { recursive: true });

const server = new Server({
  address: "127.0.0.1",
  port: 0,
  quiet: true,
  extensions: [new Database({ fetch: ({ documentName }) => load(documentName), store: save })],
});

async function load(documentName: string): Promise<Uint8Array | null> {
  try {
    return await readFile(fileOf(documentName));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function save({
  documentName,
  state,
}: {
  documentName: string;
  state: Uint8Array;
}): Promise<void> {
  // Written aside and moved, so that a kill leaves the old state or the new one; not synced.
  const file = fileOf(documentName);
  await writeFile(`${file}.new`, state);
  await rename(`${file}.new`, file);
}

function fileOf(documentName: string): string {
  return join(folder, encodeURIComponent(documentName));
}

await server.listen();
process.stdout.write(`http://127.0.0.1:${server.address.port}\n`);
