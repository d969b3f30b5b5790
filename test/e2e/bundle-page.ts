import path from "node:path";
import { fileURLToPath } from "node:url";

import { build, type Rolldown } from "vite";

const pages = fileURLToPath(new URL("pages", import.meta.url));

/**
 * The program `test/e2e/pages/<name>.ts`, or one of an absolute path, as one script for a browser, from the sources of the packages.
 * `vitest` in it is `pages/page-suite.ts`, so that a suite can run where its subject lives.
 */
export async function bundlePage(name: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    root: pages,
    define: { "process.env.NODE_ENV": '"production"' },
    resolve: {
      conditions: ["heddle-src", "browser", "module", "import", "default"],
      alias: {
        vitest: `${pages}/page-suite.ts`,
        "node:crypto": `${pages}/node-crypto.ts`,
      },
    },
    build: {
      write: false,
      minify: false,
      target: "es2022",
      // Suites of other ports, which the page leaves alone, want more of vitest.
      rolldownOptions: {
        shimMissingExports: true,
        input: path.isAbsolute(name) ? name : `${pages}/${name}.ts`,
        output: { codeSplitting: false },
      },
    },
  });
  const [bundle] = [built].flat() as Rolldown.RolldownOutput[];
  return bundle!.output[0].code;
}
