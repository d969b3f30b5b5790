import type { Expectation, ProjectionStore, RecordPath } from "@heddle/reconcile";
import fc from "fast-check";
import { expect, test } from "vitest";

import { testEnvironment } from "../test-environment.ts";
import { bytes, textOf, type ProjectionStoreHarness } from "./projection-bench.ts";

type Step =
  | { readonly name: "write"; readonly puts: readonly Put[]; readonly expects?: Put | undefined }
  | { readonly name: "reopen" };
type Put = readonly [path: RecordPath, text: string | undefined];

const paths = fc.array(fc.constantFrom("a", "b", "ü"), { minLength: 1, maxLength: 3 });
const texts = fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined });
const aPut = fc.tuple(paths, texts);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constant("write" as const),
      puts: fc.uniqueArray(aPut, {
        selector: ([path]) => path.join("/"),
        minLength: 1,
        maxLength: 5,
      }),
      expects: fc.option(aPut, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ name: fc.constant("reopen" as const) }) },
);

/** A history of batches against a plain map. */
export function describeProjectionModel(harness: ProjectionStoreHarness, runs: number): void {
  test("[PRJ-3] [PRJ-4] holds after any history what a map would hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 12 }), async (history) => {
        const site = await harness(testEnvironment());
        let store = await site.open();
        const model = new Map<string, string>();
        for (const step of history) {
          if (step.name === "write") await writeBoth(store, model, step);
          else {
            await store.close();
            store = await site.open();
          }
        }
        expect(await contentsOf(store)).toEqual(new Map([...model].toSorted()));
        await store.close();
        await site.dispose();
      }),
      { numRuns: runs },
    );
  });
}

async function writeBoth(
  store: ProjectionStore,
  model: Map<string, string>,
  { puts, expects }: Extract<Step, { name: "write" }>,
): Promise<void> {
  const outcome = await store.apply(
    {
      put: puts.flatMap(([path, text]) => (text ? [{ path, value: bytes(text) }] : [])),
      remove: puts.flatMap(([path, text]) => (text ? [] : [path])),
    },
    { expect: expects ? [expectationOf(expects)] : [] },
  );
  const isAsExpected = !expects || model.get(expects[0].join("/")) === expects[1];
  expect(outcome).toBe(isAsExpected ? "applied" : "moved");
  if (!isAsExpected) return;
  for (const [path, text] of puts) {
    if (text) model.set(path.join("/"), text);
    else model.delete(path.join("/"));
  }
}

function expectationOf([path, text]: Put): Expectation {
  return { path, value: text === undefined ? undefined : bytes(text) };
}

async function contentsOf(store: ProjectionStore): Promise<Map<string, string>> {
  const contents: [string, string][] = [];
  for (const first of ["a", "b", "ü"]) {
    const page = await store.readPage({ under: [first], limit: 1000 });
    for (const { path, value } of page)
      contents.push([path.join("/"), textOf(value as Uint8Array)]);
  }
  return new Map(contents.toSorted());
}
