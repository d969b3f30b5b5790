import { newStoreId } from "@heddle/core";
import { testEnvironment } from "@heddle/testkit";
import { beforeEach, describe, expect, it } from "vitest";

import { WitnessKeeper } from "./witness-keeper.ts";
import type { Witness } from "./witness.ts";

// Goal: the witness follows the log at a bounded rate and a bounded distance, and never leads.
// Method: time that stands still, and a disk that answers when it is told to.
describe("WitnessKeeper", () => {
  let environment: ReturnType<typeof testEnvironment>;
  let written: number[];
  let answers: ((error?: Error) => void)[];
  let keeper: WitnessKeeper;

  beforeEach(() => {
    environment = testEnvironment("keeper");
    written = [];
    answers = [];
    const witness: Witness = {
      storeId: newStoreId(environment.random),
      incarnation: environment.random.bytes(16),
      number: 0,
      chain: new Uint8Array(16),
      writtenAtMs: 0,
      restored: false,
    };
    const write = ({ number }: Witness): Promise<void> => {
      return new Promise((resolve, reject) => {
        answers.push((error) => {
          if (error) return reject(error);
          written.push(number);
          resolve();
        });
      });
    };
    keeper = new WitnessKeeper(witness, { environment, write, delayMs: 1_000 });
  });

  const note = (number: number) => keeper.note({ number, chain: new Uint8Array(16).fill(number) });
  const answer = async (error?: Error) => {
    answers.shift()!(error);
    await settle();
  };

  it("writes once for all groups of a while, and nothing while nothing changes", async () => {
    for (let number = 1; number <= 50; number++) note(number);
    environment.clock.advance(999);
    expect(answers).toHaveLength(0);
    environment.clock.advance(1);
    await answer();
    expect(written).toEqual([50]);
    environment.clock.advance(60_000);
    expect(answers).toHaveLength(0);
  });

  it("writes one at a time, and follows up on what came meanwhile", async () => {
    note(1);
    environment.clock.advance(1_000);
    note(2);
    environment.clock.advance(10_000);
    expect(answers).toHaveLength(1);
    await answer();
    environment.clock.advance(1_000);
    await answer();
    expect(written).toEqual([1, 2]);
  });

  it("says when it cannot write, goes on, and tries again", async () => {
    note(1);
    environment.clock.advance(1_000);
    await answer(new Error("no space"));
    expect(keeper.failures).toBe(1);
    expect(environment.logger.lines.map(({ event }) => event)).toEqual(["store.witness_unwritten"]);
    environment.clock.advance(1_000);
    await answer();
    expect(written).toEqual([1]);
  });

  it("writes the last word when it is closed, and is silent afterwards", async () => {
    note(1);
    const closing = keeper.close();
    await settle();
    await answer();
    await closing;
    expect(written).toEqual([1]);
    note(2);
    environment.clock.advance(10_000);
    expect(answers).toHaveLength(0);
  });
});

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
