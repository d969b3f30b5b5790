import { defineConfig } from "vitest/config";

/** Workspaces are run from their sources, so that a test never meets a stale build. */
const conditions = ["heddle-src", "node", "module", "import", "default"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};

/** Real processes, sockets and disks: generous limits, because a slow machine is not a failure. */
const slow = { testTimeout: 120_000, hookTimeout: 60_000 };

const campaign = "test/hostile/campaign.test.ts";

/**
 * Their modules keep nothing between tests, so that files share a worker: what each file would import anew takes half a
 * second of a processor. The others change what belongs to the process: its streams, its signals, its globals.
 */
const sharing =
  "packages/{core,document,reconcile,relay,replica,storage-level,sync,testkit}/src/**/*.test.ts";

// Two processors; of what waits for timers, sockets and disks a third one runs meanwhile.
export default defineConfig({
  test: {
    reporters: ["default", "./scripts/summary-reporter.ts"],
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: [sharing],
          testTimeout: 60_000,
          isolate: false,
          maxWorkers: 3,
        },
      },
      {
        ...shared,
        test: {
          name: "unit-alone",
          include: ["packages/*/src/**/*.test.ts", "apps/cli/src/**/*.test.ts"],
          exclude: [sharing],
          testTimeout: 60_000,
          maxWorkers: 3,
        },
      },
      {
        ...shared,
        test: { name: "tidy", include: ["test/tidy/**/*.test.ts"], maxWorkers: 3 },
      },
      {
        ...shared,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          ...slow,
          maxWorkers: 3,
        },
      },
      {
        ...shared,
        test: { name: "interop", include: ["test/interop/**/*.test.ts"], ...slow, maxWorkers: 3 },
      },
      {
        ...shared,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          ...slow,
          testTimeout: 300_000,
          // They wait for disks and for processes to die for half of their time.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...shared,
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          // Some 70 s of two processors; a machine that is shared may take many times as long.
          testTimeout: 1_800_000,
          maxWorkers: 3,
          // Only processors: after what waits, before what must be alone.
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...shared,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          ...slow,
          // Windows of a browser fill more than a processor each.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...shared,
        test: {
          name: "hostile",
          include: ["test/hostile/**/*.test.ts"],
          exclude: [campaign],
          ...slow,
          testTimeout: 300_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...shared,
        test: {
          name: "hostile-campaign",
          include: [campaign],
          ...slow,
          testTimeout: 300_000,
          // It watches how long honest people wait, and fills a processor itself.
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
