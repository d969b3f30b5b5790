import { yjsEngine } from "@heddle/document";
import { afterEach, expect, test } from "vitest";

import { digestsOf, folder, Typist } from "./checkpoint.fixture.ts";
import { rightOriginFan, subdocumentWithoutGuid } from "./hostile.fixture.ts";
import { FoldProcess } from "./node-fold-process.ts";
import { environment } from "./replica.fixture.ts";
import type { FoldedState } from "./state-folder.ts";

const stateBytesMax = 10_000_000;
let thread: FoldProcess | undefined;
afterEach(() => thread?.close());

test("[CKP-8] a worker folds as this thread does, from nothing and from a checkpoint", async () => {
  thread = new FoldProcess();
  const typist = new Typist(300);
  for (let turn = 0; turn < 80; turn++) typist.type(turn * 7);
  const first = { updates: typist.updates.slice(0, 50), stateBytesMax };
  const base = (await thread.fold(first)) as FoldedState;
  expect(base).toMatchObject({
    outcome: "folded",
    engine: `${yjsEngine.name} ${yjsEngine.version}`,
  });
  const here = (await folder.fold(first)) as FoldedState;
  expect({ ...base, state: 0 }).toEqual({ ...here, state: 0 });
  const then = { base, updates: typist.updates.slice(50), stateBytesMax };
  const second = (await thread.fold(then)) as FoldedState;
  expect({ ...second, state: 0 }).toEqual({ ...((await folder.fold(then)) as object), state: 0 });
  const { compression } = environment;
  const state = await compression.inflateRaw(second.state, second.stateBytes);
  expect(digestsOf([state])).toBe(digestsOf(typist.updates));
});

test("[CKP-3] a base that inflates to more than it states is refused", async () => {
  thread = new FoldProcess();
  const typist = new Typist(300);
  typist.type(1);
  const base = (await thread.fold({ updates: typist.updates, stateBytesMax })) as FoldedState;
  const short = { ...base, stateBytes: base.stateBytes - 1 };
  for (const folding of [thread, folder]) {
    const result = await folding.fold({ base: short, updates: [], stateBytesMax });
    expect(result).toMatchObject({ outcome: "failed" });
  }
});

test("a fold that takes too long or throws fails alone, and the next one gets a new thread", async () => {
  thread = new FoldProcess({ foldMsMax: 3_000 });
  const slow = thread.fold({ updates: [rightOriginFan(40_000)], stateBytesMax });
  const bad = thread.fold({ updates: [subdocumentWithoutGuid()], stateBytesMax });
  const good = thread.fold({ updates: new Typist(7).updates, stateBytesMax });
  expect(await slow).toEqual({ outcome: "failed", reason: "over 3000 ms" });
  expect(await bad).toMatchObject({ outcome: "failed" });
  expect(await good).toMatchObject({ outcome: "folded" });
  await thread.close();
  expect(await thread.fold({ updates: [], stateBytesMax })).toMatchObject({ reason: "closed" });
});
