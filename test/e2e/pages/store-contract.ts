// The contract of every LogStore, on the IndexedDB of the browser that this page is open in.
import { Buffer } from "buffer";

import { HeddleErrorCode, type HeddleError } from "@heddle/core";
import {
  browserStore,
  deleteBrowserStore,
  type BrowserLogStore,
} from "@heddle/storage-level/browser";
import { describeLogStoreContract, testEnvironment } from "@heddle/testkit";
import { describe, expect, test } from "vitest";

import { runPageSuite } from "./page-suite.ts";

// Of the testkit's keys.
Object.assign(globalThis, { Buffer });

let sites = 0;
describeLogStoreContract(
  "BrowserLogStore",
  async (environment) => {
    const name = `site-${++sites}`;
    return {
      open: () => browserStore(name).open(environment),
      dispose: () => deleteBrowserStore(name),
    };
  },
  { modelRuns: 1 },
);

const noted = (detail: string) => ({ event: "store-restored", atMs: 1, detail }) as const;
const details = async (store: BrowserLogStore): Promise<readonly string[]> => {
  return (await store.readJournal()).map(({ detail }) => detail);
};

// Beside the contract: what only a browser's store can meet.
describe("a store that another tab takes from one that sleeps", () => {
  let seeds = 0;
  const environment = () => testEnvironment(`tab ${++seeds}`);

  test("[CLT-11] it writes nothing more, whatever was on its way, and is told", async () => {
    const { storageLocked } = HeddleErrorCode;
    const sleeping = await browserStore("taken").open(environment());
    await sleeping.note(noted("before"));
    const taking = browserStore("taken").open(environment(), { steal: true });
    // Some of it comes before the other has the database, and is whole, some after it, and is not there.
    const outcomes: string[] = [];
    let isTaken = false;
    void taking.then(() => (isTaken = true));
    while (!outcomes.includes(storageLocked)) {
      const wasTaken = isTaken;
      const outcome = await sleeping.note(noted("late")).then(
        () => "written",
        (error: HeddleError) => error.code,
      );
      if (wasTaken) expect(outcome).toBe(storageLocked);
      outcomes.push(outcome);
    }
    const awake = await taking;
    expect((await sleeping.whenLost).code).toBe(storageLocked);
    await expect(sleeping.stillOurs()).rejects.toMatchObject({ code: storageLocked });
    await awake.note(noted("after"));
    const written = outcomes.filter((outcome) => outcome === "written").map(() => "late");
    expect(await details(awake)).toEqual(["before", ...written, "after"]);
    await sleeping.close();
    expect(await details(awake)).toEqual(["before", ...written, "after"]);
    await awake.close();
    await deleteBrowserStore("taken");
  });
});

Object.assign(globalThis, { runPageSuite, isReady: true });
