import { fileURLToPath } from "node:url";

/** The file to start Node with for a program of this package, which has to be built. */
export function programFile(name: string): string {
  const isSource = import.meta.url.endsWith(".ts");
  return fileURLToPath(new URL(`${isSource ? "../dist/" : "./"}${name}.js`, import.meta.url));
}
