import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import { nodeEnvironment } from "@heddle/replica/node";
import { afterEach, expect, test } from "vitest";

import { memoryStore } from "../platform/memory-store.ts";
import type { ReplicaStore, StoreClaim } from "../platform/platform.ts";
import { silent } from "../silent-logger.ts";
import { KeeperBeat } from "../tabs/keeper-beat.ts";
import { TabChannel } from "../tabs/tab-channel.ts";
import { Keeper } from "./keeper.ts";
import { RelayLink } from "./relay-link.ts";
import { Standby } from "./standby.ts";

// Goal: the tab that stores, and the one that waits for its turn, do not give up at the first failure.
// Method: Node's own BroadcastChannel between them, a store in memory, time that runs ten times as fast.

const quickly = 10;
const wait = { timeout: 30_000 };
const ends: (() => unknown)[] = [];
let names = 0;

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function environment(): Environment {
  const { clock, scheduler, ...rest } = nodeEnvironment(silent);
  return {
    ...rest,
    clock: { nowMs: () => clock.nowMs(), monotonicMs: () => clock.monotonicMs() * quickly },
    scheduler: {
      ...scheduler,
      after: (delayMs, task) => scheduler.after(delayMs / quickly, task),
    },
  };
}

function keepingOf(store: ReplicaStore, env = environment()) {
  const link = new RelayLink({
    address: () => "ws://nowhere.invalid",
    protocols: [],
    WebSocket: undefined,
    getToken: undefined,
    scheduler: env.scheduler,
    backoffMsMax: () => undefined,
    onStockServer: never,
    onFailed: never,
    onClosed: never,
  });
  const tabs = `storing-${process.pid}-${++names}`;
  return { environment: env, store, link, tabs, names: () => [], onChange: never };
}

const never = (): void => undefined;
const ioError = (): HeddleError => new HeddleError(HeddleErrorCode.storageIo, "the disk refuses");

test("[CLT-7] a document that a tab shows and that cannot be opened at once is opened later", async () => {
  const keeping = keepingOf(memoryStore());
  const keeper = await Keeper.open(keeping);
  ends.push(() => keeper.close());
  const { replica } = keeper.replica;
  const acquire = replica.acquire.bind(replica);
  const outcomes: string[] = [];
  replica.acquire = async (name) => {
    if (outcomes.length < 2) {
      outcomes.push("failed");
      throw ioError();
    }
    const document = await acquire(name);
    outcomes.push(document.entry.name);
    return document;
  };
  const tab = new TabChannel(keeping.tabs, keeping.environment.random, {});
  ends.push(() => tab.close());
  tab.want({ names: ["notes"], isOnline: false, ask: 1 });
  await expect.poll(() => outcomes, wait).toEqual(["failed", "failed", "notes"]);
});

test("[CLT-7] whose turn it is to store tries again when the store cannot be opened, and says so meanwhile", async () => {
  const { open } = memoryStore();
  let failures = 2;
  const store: ReplicaStore = {
    name: "shared",
    async open(env, claim) {
      if (failures-- > 0) throw ioError();
      claim?.onTaken?.();
      return open(env);
    },
  };
  const told: (string | undefined)[] = [];
  const standby = new Standby({
    keeping: keepingOf(store),
    onTrouble: (error) => told.push(error?.code),
  });
  ends.push(() => standby.end());
  const { storageIo } = HeddleErrorCode;
  await expect.poll(() => told, wait).toEqual([storageIo, storageIo, undefined]);
});

test("[CLT-11] a keeper that answers is left alone, and one that is silent is taken the store from", async () => {
  const claims: StoreClaim[] = [];
  const store: ReplicaStore = {
    name: "shared",
    open(env, claim = {}) {
      claims.push(claim);
      if (claim.steal) {
        claim.onTaken?.();
        return memoryStore().open(env);
      }
      return new Promise((_resolve, reject) => {
        claim.untilFree!.addEventListener("abort", () => reject(ioError()));
      });
    },
  };
  const keeping = keepingOf(store);
  const beat = new KeeperBeat(keeping.tabs);
  ends.push(() => beat.stop());
  const standby = new Standby({ keeping, onTrouble: () => undefined });
  ends.push(() => standby.end());
  // Some ten seconds of its time.
  await new Promise((resolve) => setTimeout(resolve, 10_000 / quickly));
  expect(claims.map(({ steal }) => steal)).toEqual([undefined]);
  beat.stop();
  await expect.poll(() => claims.map(({ steal }) => steal), wait).toEqual([undefined, true]);
});
