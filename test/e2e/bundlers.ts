import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Stats } from "webpack";

import type { Scripts } from "./page-site.ts";

const entry = fileURLToPath(new URL("pages/bundled-page.mjs", import.meta.url));

/** Each as its own guide begins: an entry, a folder, and nothing about heddle. */
export const bundlers: Record<string, (folder: string) => Promise<void>> = {
  async vite(folder) {
    const { build } = await import("vite");
    await build({
      configFile: false,
      logLevel: "error",
      root: join(entry, ".."),
      build: {
        outDir: folder,
        rolldownOptions: { input: entry, output: { entryFileNames: "page.js" } },
      },
    });
  },
  async esbuild(folder) {
    const { build } = await import("esbuild");
    const output = { bundle: true, splitting: true, format: "esm", minify: true } as const;
    await build({ entryPoints: { page: entry }, outdir: folder, ...output, logLevel: "error" });
  },
  async webpack(folder) {
    const { webpack } = await import("webpack");
    const stats = await new Promise<Stats | undefined>((resolve, reject) => {
      // Without minifying, which takes most of the time and is no matter of ours.
      const optimization = { minimize: false };
      const output = { path: folder, filename: "page.js", publicPath: "/" };
      const settings = { entry, output, optimization, performance: false } as const;
      webpack({ mode: "production", ...settings }, (error, done) => {
        if (error) reject(error);
        else resolve(done);
      });
    });
    const { errors, warnings } = stats!.toJson({ all: false, errors: true, warnings: true });
    const said = [...errors!, ...warnings!];
    if (said.length > 0) throw new Error(said.map(({ message }) => message).join("\n"));
  },
};

/** What it makes of the smallest application, by path. */
export async function bundle(bundler: string): Promise<Scripts> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-bundle-"));
  try {
    await bundlers[bundler]!(folder);
    const scripts = new Map<string, string>();
    for (const path of await readdir(folder, { recursive: true })) {
      if (path.endsWith(".js")) scripts.set(`/${path}`, await readFile(join(folder, path), "utf8"));
    }
    return scripts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
