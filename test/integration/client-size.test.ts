import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

import { build as buildWithEsbuild } from "esbuild";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";

// Goal: who puts `HeddleProvider` into a page knows what it weighs, and notices when that changes.
// Method: Vite as it is out of the box, with what a Yjs application has anyway (yjs, lib0, y-protocols) left out.

const virtual = "virtual:application";
const aimBytes = 45_000;
const application = 'export { HeddleProvider } from "@heddle/client";';

async function chunks(): Promise<Rolldown.OutputChunk[]> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    root: join(repositoryFolder, "packages/react"),
    plugins: [
      {
        name: "application",
        resolveId: (id) =>
          id === virtual ? join(repositoryFolder, "packages/react/app.js") : null,
        load: (id) => (id.endsWith("/react/app.js") ? application : null),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: {
        input: virtual,
        preserveEntrySignatures: "strict",
        external: [/^(?:yjs|lib0|y-protocols)(?:\/|$)/],
      },
    },
  });
  const { output } = [built].flat()[0] as Rolldown.RolldownOutput;
  return output.filter((part) => part.type === "chunk");
}

test("[CLT-10] what a page loads before it shows a document is at most 45 kB beside yjs", async () => {
  const all = await chunks();
  const byName = new Map(all.map((chunk) => [chunk.fileName, chunk]));
  /** With all that they need. */
  const closure = (names: readonly string[], without: ReadonlySet<string> = new Set()) => {
    const found = new Set<string>();
    const add = (name: string): void => {
      const chunk = byName.get(name);
      if (!chunk || found.has(name) || without.has(name)) return;
      found.add(name);
      chunk.imports.forEach(add);
    };
    names.forEach(add);
    return found;
  };
  const bytesOf = (names: Iterable<string>): number => {
    return [...names].reduce((sum, name) => sum + gzipSync(byName.get(name)!.code).length, 0);
  };
  const first = closure(all.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  const later = (module: string) => {
    const names = all.filter(({ facadeModuleId }) => facadeModuleId?.includes(module));
    expect(names).toHaveLength(1);
    return bytesOf(closure([names[0]!.fileName], first));
  };
  const sizes = {
    first: bytesOf(first),
    engine: later("/engine/sides"),
    store: later("/browser-index"),
    ed25519: later("/@noble/curves/"),
    stock: later("/y-websocket/"),
  };
  const told = Object.entries(sizes).map(([part, bytes]) => `${part} ${(bytes / 1000).toFixed(1)}`);
  process.stdout.write(`@heddle/client, min+gzip kB beside yjs: ${told.join(", ")}\n`);
  expect(sizes.first).toBeLessThan(aimBytes);
});

test("[CLT-10] the same built by esbuild, which does not look through what packages export", async () => {
  const { metafile, outputFiles } = await buildWithEsbuild({
    stdin: { contents: application, resolveDir: join(repositoryFolder, "packages/react") },
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    metafile: true,
    write: false,
    outdir: repositoryFolder,
    absWorkingDir: repositoryFolder,
    external: ["yjs", "lib0/*", "y-protocols/*"],
  });
  const { outputs } = metafile;
  const first = new Set<string>();
  const add = (path: string): void => {
    if (first.has(path) || outputs[path] === undefined) return;
    first.add(path);
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind === "import-statement") add(next);
    }
  };
  add(Object.keys(outputs).find((path) => outputs[path]!.entryPoint === "<stdin>")!);
  const texts = outputFiles.filter(({ path }) => first.has(relative(repositoryFolder, path)));
  const bytes = texts.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
  process.stdout.write(`@heddle/client by esbuild, first: ${(bytes / 1000).toFixed(1)} kB\n`);
  expect(texts).toHaveLength(first.size);
  expect(bytes).toBeLessThan(aimBytes);
});
