import { readFileSync } from "node:fs";

/** Golden bytes of `test/fixtures/core`, which no change may touch. */
export function golden<Fixture>(name: string): Fixture {
  const file = new URL(`../../../test/fixtures/core/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Fixture;
}
