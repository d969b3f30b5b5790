import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { onlyAims } from "./aims-form.ts";
import { parseOptions, usage, type BenchOptions } from "./options.ts";
import { findPinning } from "./pinning.ts";
import { formatReport } from "./report.ts";
import type { BenchResult } from "./result.ts";
import { allRows } from "./rows/all-rows.ts";
import type { Row } from "./rows/row.ts";
import { runBench } from "./run-bench.ts";
import { allServers } from "./servers/all-servers.ts";
import type { ServerKind } from "./servers/server.ts";

const defaultOut = fileURLToPath(new URL("../results/latest.json", import.meta.url));

// An interrupted run leaves through "exit" too, where children are killed and folders removed.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const choice = choose(args);
  if (typeof choice === "number") return choice;
  const { options, rows, servers } = choice;
  const folder = mkdtempSync(join(resolve(options.dataRoot ?? tmpdir()), "heddle-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const context = {
    plan: options.plan,
    pinning: findPinning(),
    makeFolder: () => mkdtempSync(join(folder, "run-")),
  };
  const out = resolve(options.out ?? defaultOut);
  const result = await runBench({
    rows,
    servers,
    context,
    dataRoot: dirname(folder),
    progress,
    keep: (soFar) => write(soFar, out),
  });
  process.stdout.write(formatReport(result));
  const complete = result.rows.every((row) =>
    row.outcomes.every((outcome) => outcome.problems.length === 0),
  );
  return complete ? 0 : 1;
}

/** Standard output is for the table. */
function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

interface Choice {
  readonly options: BenchOptions;
  readonly rows: readonly Row[];
  readonly servers: readonly ServerKind[];
}

/** What to run, or the exit status when there is nothing to run. */
function choose(args: readonly string[]): Choice | 0 | 2 {
  try {
    const options = parseOptions(args);
    if (options === "help") {
      process.stdout.write(`${usage}\n`);
      return 0;
    }
    const rows = pick("row", allRows, options.rows, (id, word) => id === word);
    const servers = pick("server", allServers, options.servers, (id, word) => id.startsWith(word));
    return { options, ...(options.aims ? onlyAims(rows, servers) : { rows, servers }) };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
    return 2;
  }
}

function pick<T extends { readonly id: string }>(
  what: string,
  all: readonly T[],
  words: readonly string[] | undefined,
  matches: (id: string, word: string) => boolean,
): readonly T[] {
  if (words === undefined) return all;
  const unknown = words.find((word) => !all.some(({ id }) => matches(id, word)));
  if (unknown !== undefined) throw new Error(`there is no ${what} ${unknown}`);
  return all.filter(({ id }) => words.some((word) => matches(id, word)));
}

function write(result: BenchResult, file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(file.replace(/(\.json)?$/, ".md"), formatReport(result));
}
