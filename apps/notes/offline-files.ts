import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Plugin } from "vite";

const worker = "offline-worker.js";

/** Tells the service worker which files the built page has, and gives it another version with any of them. */
export function offlineFiles(): Plugin {
  let publicDirectory = "";
  return {
    name: "offline-files",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      publicDirectory = config.publicDir;
    },
    generateBundle: {
      order: "post",
      async handler(_options, bundle) {
        const contents = new Map<string, string | Uint8Array>();
        for (const file of await readdir(publicDirectory)) {
          contents.set(`/${file}`, await readFile(join(publicDirectory, file)));
        }
        for (const [file, output] of Object.entries(bundle)) {
          if (file === worker) continue;
          const path = file === "index.html" ? "/" : `/${file}`;
          contents.set(path, output.type === "chunk" ? output.code : output.source);
        }
        const script = bundle[worker];
        if (script?.type !== "chunk") throw new Error(`the build has no ${worker}`);
        script.code = script.code
          .replaceAll("HEDDLE_OFFLINE_FILES", JSON.stringify([...contents.keys()].toSorted()))
          .replaceAll("HEDDLE_OFFLINE_VERSION", JSON.stringify(versionOf(contents)));
      },
    },
  };
}

function versionOf(contents: ReadonlyMap<string, string | Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [path, bytes] of [...contents].toSorted())
    hash.update(path).update("\0").update(bytes);
  return hash.digest("hex").slice(0, 16);
}
