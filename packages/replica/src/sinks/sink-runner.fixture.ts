import { toHex } from "@heddle/core";
import {
  defineSink,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  type Delivery,
  type SinkDefinition,
} from "@heddle/reconcile";
import { MemorySource, testEnvironment } from "@heddle/testkit";

import { SinkRunner, type SinkTurn } from "./sink-runner.ts";

export type SinkAnswer = Delivery | Error | "dies";

export const failed: Delivery = { outcome: "failed", reason: "busy" };

/** A sink whose outside does as told, with a source in memory and a store that can be opened again. */
export class SinkBench {
  readonly environment: ReturnType<typeof testEnvironment>;
  readonly source: MemorySource;
  /** Keys, in the order in which the outside was given them, and of what. */
  readonly given: { readonly key: string; readonly name: string; readonly isTaken: boolean }[] = [];
  /** What the outside says next; it takes what it is given after that. */
  answers: SinkAnswer[] = [];
  store: MemoryProjectionStore;
  readonly #disk: MemoryProjectionDisk;

  private constructor(
    environment: ReturnType<typeof testEnvironment>,
    disk: MemoryProjectionDisk,
    store: MemoryProjectionStore,
  ) {
    this.environment = environment;
    this.source = new MemorySource(environment.hash, environment.random);
    this.store = store;
    this.#disk = disk;
  }

  static async start(seed?: number): Promise<SinkBench> {
    const environment = testEnvironment(seed);
    const disk = new MemoryProjectionDisk();
    const store = await MemoryProjectionStore.open(disk, environment.clock);
    return new SinkBench(environment, disk, store);
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await MemoryProjectionStore.open(this.#disk, this.environment.clock);
  }

  open(definition: Partial<SinkDefinition> = {}): SinkRunner {
    const { store, source, environment } = this;
    const dying = new AbortController();
    const sink = defineSink({
      name: "hook",
      owner: "tests",
      attemptsMax: 3,
      deliver: ({ document }, key) => this.#deliver(document.name, key, dying),
      ...definition,
    });
    return new SinkRunner({ sink, store, source, environment, signal: dying.signal });
  }

  /** Turns until there is nothing to do; what it waited for meanwhile. */
  async settle(runner: SinkRunner): Promise<SinkTurn[]> {
    const { clock } = this.environment;
    const waits: SinkTurn[] = [];
    for (let turn = 0; turn < 2_000; turn++) {
      const result = await runner.turn();
      if (result.name === "idle") return waits;
      if (result.name !== "waiting") continue;
      waits.push(result);
      clock.advance(result.dueMs - clock.monotonicMs());
    }
    throw new Error("a sink does not come to rest");
  }

  keys(): string[] {
    return this.given.map(({ key }) => key);
  }

  async last(name: string): Promise<string | undefined> {
    return (await this.idsOf(name)).at(-1);
  }

  /** Ids of all changes of a document, in the order of its log. */
  async idsOf(name: string): Promise<string[]> {
    const document = [...this.source.contents().keys()].find((one) => one.name === name);
    const reading = document && (await this.source.readChanges(document.id, new Map()));
    if (reading?.outcome !== "whole") throw new Error(`${name} cannot be read`);
    const ids: string[] = [];
    for await (const chunk of reading.changes) ids.push(...chunk.map(({ id }) => toHex(id)));
    return ids;
  }

  async #deliver(name: string, key: string, dying: AbortController): Promise<Delivery> {
    const answer = this.answers.shift() ?? { outcome: "delivered" };
    // The outside has taken it, and the process that gave it dies before it writes that down.
    if (answer === "dies") {
      await this.store.close();
      dying.abort();
    }
    const isTaken = answer === "dies" || ("outcome" in answer && answer.outcome === "delivered");
    this.given.push({ key, name, isTaken });
    if (answer instanceof Error) throw answer;
    return answer === "dies" ? { outcome: "delivered" } : answer;
  }
}

/** Ids of what was given up. */
export async function kept({ dead }: SinkRunner): Promise<string[]> {
  return (await dead.list(10)).map(({ id }) => id);
}
