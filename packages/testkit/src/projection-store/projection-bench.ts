import type { ProjectionStore, RecordPath } from "@heddle/reconcile";
import { afterEach, beforeEach } from "vitest";

import { testEnvironment, type TestEnvironment } from "../test-environment.ts";

/** One place that a store can be opened on, closed and opened again: a folder, a disk in memory. */
export interface ProjectionStoreSite {
  open(): Promise<ProjectionStore>;
  /** Flips a bit in the value of a record, below an open store. */
  damage(path: RecordPath): Promise<void>;
  /** Removes what the site holds. Every store of it is closed. */
  dispose(): Promise<void>;
}

/** Leases run by the clock of `environment`, which the suite moves. */
export type ProjectionStoreHarness = (environment: TestEnvironment) => Promise<ProjectionStoreSite>;

/** An open store on a fresh site. */
export class ProjectionBench {
  environment!: TestEnvironment;
  site!: ProjectionStoreSite;
  store!: ProjectionStore;

  static use(harness: ProjectionStoreHarness): ProjectionBench {
    const bench = new ProjectionBench();
    beforeEach(async () => {
      bench.environment = testEnvironment();
      bench.site = await harness(bench.environment);
      bench.store = await bench.site.open();
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

  /** Puts texts at paths that are written with slashes. */
  async put(...texts: readonly (readonly [path: string, text: string])[]): Promise<void> {
    await this.store.apply({ put: texts.map(([path, text]) => put(path, text)) });
  }

  async textAt(path: string): Promise<string | undefined> {
    const [value] = await this.store.get([at(path)]);
    return value instanceof Uint8Array ? textOf(value) : value;
  }
}

export function at(path: string): RecordPath {
  return path.split("/");
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

export function put(path: string, text: string): { path: RecordPath; value: Uint8Array } {
  return { path: at(path), value: bytes(text) };
}
