import { expect, test } from "vitest";

import { Turns } from "./turns.ts";

const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

test("one thing is done after the other, in the order of asking", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const results = ["a", "b", "c"].map((name) =>
    turns.run(async () => {
      done.push(`${name} begins`);
      await pause();
      done.push(`${name} ends`);
      return name;
    }),
  );
  await turns.settled();
  expect(await Promise.all(results)).toEqual(["a", "b", "c"]);
  const inOrder = ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"];
  expect(done).toEqual(inOrder);
});

test("one that fails tells who asked, and nobody else", async () => {
  const turns = new Turns();
  const failed = turns.run(async () => {
    await pause();
    throw new Error("no");
  });
  const next = turns.run(async () => "yes");
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe("yes");
  await turns.settled();
});
