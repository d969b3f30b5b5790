import { describe, expect, it } from "vitest";

import { GroupCommit } from "./group-commit.ts";

interface Item {
  readonly name: string;
  readonly bytes: number;
}

/** A writer that a test lets finish or fail, one group after the other. */
class HeldWriter {
  readonly groups: string[] = [];
  #finish: ((error?: Error) => void) | undefined;

  readonly commits = new GroupCommit<Item>((group) => {
    this.groups.push(group.map(({ name }) => name).join(""));
    const number = this.groups.length;
    return new Promise((resolve, reject) => {
      this.#finish = (error) => (error ? reject(error) : resolve(number));
    });
  }, 100);

  add(name: string, bytes = 1): Promise<number> {
    return this.commits.add({ name, bytes });
  }

  async finish(error?: Error): Promise<void> {
    this.#finish?.(error);
    await turn();
  }
}

describe("GroupCommit", () => {
  it("[STO-1] answers a lone caller with its own group, written without waiting for a timer", async () => {
    const writer = new HeldWriter();
    const added = writer.add("a");
    await Promise.resolve();
    expect(writer.groups).toEqual(["a"]);
    await writer.finish();
    expect(await added).toBe(1);
    await writer.commits.whenIdle();
  });

  it("has one group in flight, and forms the next of what arrives meanwhile", async () => {
    const writer = new HeldWriter();
    const first = [writer.add("a"), writer.add("b")];
    await turn();
    const second = [writer.add("c"), writer.add("d"), writer.add("e")];
    await turn();
    expect(writer.groups).toEqual(["ab"]);
    await writer.finish();
    await turn();
    expect(writer.groups).toEqual(["ab", "cde"]);
    await writer.finish();
    expect(await Promise.all([...first, ...second])).toEqual([1, 1, 2, 2, 2]);
  });

  it("lets those join who write again as soon as they are answered", async () => {
    const writer = new HeldWriter();
    const again = writer.add("a").then(() => writer.add("A"));
    await turn();
    const waiting = writer.add("b");
    await writer.finish();
    await turn();
    expect(writer.groups).toEqual(["a", "bA"]);
    await writer.finish();
    expect(await Promise.all([again, waiting])).toEqual([2, 2]);
  });

  it("[STO-2] ends a group at its cap and never splits an item", async () => {
    const writer = new HeldWriter();
    const added = [writer.add("a", 60), writer.add("b", 60), writer.add("c", 900)];
    added.push(writer.add("d", 40), writer.add("e", 60));
    for (let group = 0; group < 4; group++) {
      await turn();
      await writer.finish();
      await turn();
    }
    expect(writer.groups).toEqual(["a", "b", "c", "de"]);
    expect(await Promise.all(added)).toEqual([1, 2, 3, 4, 4]);
  });

  it("[STO-4] fails what waits together with what was being written", async () => {
    const writer = new HeldWriter();
    const answers = [writer.add("a")];
    await turn();
    answers.push(writer.add("b"));
    const settled = Promise.allSettled(answers);
    await writer.finish(new Error("disk gone"));
    expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(writer.groups).toEqual(["a"]);
    const later = writer.add("c");
    await turn();
    await writer.finish();
    expect(await later).toBe(2);
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
