import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with the one line that scripts read: `N passed, N failed, N skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) {
        const { state } = test.result();
        if (state !== "pending") counts[state] += 1;
      }
      // A file that fails to load has no tests to count, and is a failure all the same.
      if (module.state() === "failed" && !tests.some((test) => test.result().state === "failed")) {
        counts.failed += 1;
      }
    }
    for (const reason of (process.env["HEDDLE_SKIPPED"] ?? "").split("\n").filter(Boolean)) {
      process.stdout.write(`\nSKIPPED: ${reason}`);
    }
    process.stdout.write(
      `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
    );
  }
}
