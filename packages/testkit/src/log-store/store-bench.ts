import type { DocumentEntry, LogStore, ParkedUpdate } from "@heddle/core";
import { afterEach, beforeEach } from "vitest";

import { testEnvironment, type TestEnvironment } from "../test-environment.ts";
import { testDocument, TestWriter } from "../test-writer.ts";

/** One place that a store can be opened on, closed and opened again: a folder, a disk in memory. */
export interface LogStoreSite {
  open(): Promise<LogStore>;
  /** Removes what the site holds. Every store of it is closed. */
  dispose(): Promise<void>;
}

export type LogStoreHarness = (environment: TestEnvironment) => Promise<LogStoreSite>;

/** A store on a fresh site with two documents and one lane, all of them appended. */
export class StoreBench {
  readonly environment = testEnvironment();
  readonly notes = testDocument(this.environment, "notes");
  readonly plans = testDocument(this.environment, "plans");
  site!: LogStoreSite;
  store!: LogStore;
  writer!: TestWriter;
  #documents = 0;

  static use(harness: LogStoreHarness): StoreBench {
    const bench = new StoreBench();
    beforeEach(async () => {
      bench.site = await harness(bench.environment);
      bench.store = await bench.site.open();
      bench.writer = await TestWriter.open(bench.environment);
      const documents = [bench.notes, bench.plans];
      await bench.store.append({ lanes: [bench.writer.lane], documents });
    });
    afterEach(async () => {
      await bench.store.close();
      await bench.site.dispose();
    });
    return bench;
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await this.site.open();
  }

  async openLane(): Promise<TestWriter> {
    const writer = await TestWriter.open(this.environment);
    await this.store.append({ lanes: [writer.lane] });
    return writer;
  }

  /** A lane that the store does not know. */
  freshWriter(): Promise<TestWriter> {
    return TestWriter.open(this.environment);
  }

  /** A document that the store does not know. */
  freshDocument(): DocumentEntry {
    return testDocument(this.environment, `document ${++this.#documents}`);
  }

  parked(byte: number): ParkedUpdate {
    const update = Uint8Array.of(byte, 1, 2);
    const id = byte.toString(16).padStart(2, "0").repeat(16);
    return { id, update, parkedAtMs: 1000 + byte, principal: Uint8Array.of(0x61, byte) };
  }
}
