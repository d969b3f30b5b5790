import { defineConfig } from "vitest/config";

/** Workspaces are run from their sources, so that a test never meets a stale build. */
const conditions = ["heddle-src", "node", "module", "import", "default"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};

/** Real processes, sockets and disks: generous limits, because a slow machine is not a failure. */
const slow = { testTimeout: 120_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/summary-reporter.ts"],
    maxWorkers: 2,
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "apps/cli/src/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      { ...shared, test: { name: "tidy", include: ["test/tidy/**/*.test.ts"] } },
      {
        ...shared,
        test: { name: "integration", include: ["test/integration/**/*.test.ts"], ...slow },
      },
      { ...shared, test: { name: "interop", include: ["test/interop/**/*.test.ts"], ...slow } },
      {
        ...shared,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          ...slow,
          testTimeout: 300_000,
        },
      },
      { ...shared, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...slow } },
    ],
  },
});
