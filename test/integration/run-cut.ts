import type { Environment, LogStore } from "@heddle/core";
import { expect } from "vitest";

import type { Cut, Site } from "./cut-store.ts";

/** What is done to a store that may be cut off at any of its writes, and what has to be true then. */
export interface CutSession {
  run(store: LogStore): Promise<void>;
  /** Of what is left, at the next start. */
  checkLeft(store: LogStore): Promise<void>;
  /** Goes on with what is left, up to the end. */
  finish(store: LogStore): Promise<void>;
  checkWhole(store: LogStore): Promise<void>;
}

export interface CutCase {
  readonly environment: Environment;
  readonly site: Site;
  readonly session: CutSession;
}

/** Runs a session that is cut off at its write number `n`, or at none. Returns how many writes it had. */
export async function runCut(
  { environment, site, session }: CutCase,
  n?: number,
  cut?: Cut,
): Promise<number> {
  const store = await site.open(environment, n, cut);
  try {
    await session.run(store);
  } catch (error) {
    expect(String(error), `write ${n}`).toContain("power");
  }
  const { writes } = site;
  await store.close();
  const again = await site.open(environment);
  await session.checkLeft(again);
  await session.finish(again);
  await again.close();
  const last = await site.open(environment);
  await session.checkWhole(last);
  await last.close();
  await site.remove();
  return writes;
}

/** One session for each of its writes and each way to cut it off there. `writesMin` of an uncut one. */
export async function runAllCuts(make: () => Promise<CutCase>, writesMin: number): Promise<void> {
  const writes = await runCut(await make());
  expect(writes).toBeGreaterThanOrEqual(writesMin);
  for (let n = 1; n <= writes; n++) {
    for (const cut of ["before", "after"] as const) await runCut(await make(), n, cut);
  }
}
