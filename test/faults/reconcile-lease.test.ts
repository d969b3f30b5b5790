import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { newStoreId, type DocumentId } from "@heddle/core";
import {
  decodeAuditEntry,
  defineProjection,
  definitionDigest,
  encodeCursor,
  encodeGeneration,
  encodeLive,
  feedPath,
  generationPath,
  livePath,
  rowPath,
  decodeRow,
} from "@heddle/reconcile";
import { nodeEnvironment, serveProjectionStore, type StoreChannel } from "@heddle/replica/node";
import { openLevelProjectionStore, type LevelProjectionStore } from "@heddle/storage-level";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, removePrograms } from "../processes/program.ts";

// Goal: whoever holds a lease and stands still cannot write when it wakes up, in whatever process it is.
// Method: two jobs in two processes on one LevelDB, served by this one. The first is halted by SIGSTOP just before it
// writes its correction, until its lease is over and the second has corrected; then it goes on.

const document = "ab".repeat(16) as DocumentId;
const incarnation = "cd".repeat(16);
const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const storeId = newStoreId(environment.random);
const generation = { projection: "likes", number: 1 };

let folder: string;
let program: string;
let store: LevelProjectionStore;

beforeAll(async () => {
  program = compileProgram("faults/reconcile-holder-program");
  folder = await mkdtemp(path.join(tmpdir(), "heddle-leases-"));
  ({ store } = await openLevelProjectionStore(folder, { environment }));
  const projection = defineProjection({
    name: "likes",
    version: 1,
    owner: "tests",
    partition: () => "post",
    derive: () => [],
    combine: (a) => a,
    repair: "overwrite",
  });
  const definition = definitionDigest(environment.hash, projection);
  const made = {
    version: 1,
    policyVersion: 1,
    owner: "tests",
    state: "live",
    startedAtMs: 1,
  } as const;
  const cursor = { store: storeId, incarnation, arrival: 1 };
  await store.apply({
    put: [
      { path: livePath("likes"), value: encodeLive(1) },
      { path: generationPath(generation), value: encodeGeneration({ definition, ...made }) },
      { path: feedPath(generation), value: encodeCursor(cursor) },
    ],
  });
});

afterAll(async () => {
  removePrograms();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

class Holder implements Disposable {
  readonly #child: ChildProcess;
  readonly #stopServing: () => void;
  readonly #said: unknown[] = [];

  constructor(name: string, mode: string) {
    const args = [name, mode, document, storeId, incarnation];
    this.#child = fork(program, args, { serialization: "advanced", execArgv: [] });
    const channel: StoreChannel = {
      post: (message) => void (this.#child.connected && this.#child.send(message as object)),
      onMessage: (listener) => {
        this.#child.on("message", listener);
        return () => this.#child.off("message", listener);
      },
    };
    this.#stopServing = serveProjectionStore(store, channel);
    this.#child.on("message", (message) => {
      const isCall = typeof message === "object" && message !== null && "method" in message;
      if (!isCall) this.#said.push(message);
    });
  }

  async said(): Promise<unknown> {
    const died = once(this.#child, "exit").then(() => Promise.reject(new Error("it ended")));
    while (this.#said.length === 0) await Promise.race([once(this.#child, "message"), died]);
    died.catch(() => undefined); // It may end once it has said everything.
    return this.#said.shift();
  }

  async pause(): Promise<void> {
    this.#child.kill("SIGSTOP");
    const state = (): string => {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2)[0]!;
    };
    while (state() !== "T") await new Promise((resolve) => setImmediate(resolve));
  }

  goOn(): void {
    this.#child.kill("SIGCONT");
    this.#child.send("go on");
  }

  [Symbol.dispose](): void {
    this.#stopServing();
    this.#child.kill("SIGKILL");
  }
}

test("[REC-4] a lease holder that stood still in another process is refused, and the one after it is not touched", async () => {
  using first = new Holder("first", "wait");
  expect(await first.said()).toBe("writing");
  await first.pause();
  // Its lease lasts 400 ms by the clock of this process.
  await new Promise((resolve) => setTimeout(resolve, 500));
  using second = new Holder("second", "");
  expect(await second.said()).toEqual({ outcome: "whole", corrections: 1, drifts: 1 });
  const { fenced } = store.counters;

  first.goOn();
  expect(await first.said()).toMatchObject({ outcome: "fenced", corrections: 0 });
  expect(store.counters.fenced).toBe(fenced + 1);
  const entries = await store.readAudit(0, 10);
  expect(entries.map(({ value }) => decodeAuditEntry(value as Uint8Array).by)).toEqual(["second"]);
  const [row] = await store.get([rowPath(generation, "post", document, "likes")]);
  expect(decodeRow(row as Uint8Array).value).toBe(7);
});
