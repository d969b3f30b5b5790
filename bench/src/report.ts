import type { Sample } from "./load/jobs.ts";
import type { BenchResult, RowResult, ServerOutcome } from "./result.ts";
import type { Column, Table } from "./rows/row.ts";
import { syncCostTable } from "./rows/sync-cost.ts";
import { stockServerId } from "./servers/all-servers.ts";
import { spreadOf } from "./statistics.ts";

/** From here on the load, and not the server, is what a throughput shows. */
const loadBoundAbove = 0.9;
/** Kernel work for the sockets shows up as others too; more than this is somebody else. */
const disturbedAbove = 0.1;

/** The result as Markdown: figures and ratios, never a verdict. */
export function formatReport(result: BenchResult): string {
  const machine: ServerOutcome = {
    server: "this machine",
    samples: [...result.syncCost],
    problems: [],
  };
  const sections = [
    formatHeader(result),
    ...result.rows.flatMap((row) => row.tables.map((table) => formatTable(table, row.outcomes))),
    formatTable(syncCostTable, [machine]),
    ...formatProblems(result.rows),
  ];
  return `${sections.join("\n\n")}\n`;
}

function formatHeader({ host, plan, seconds, servers }: BenchResult): string {
  const pinned = host.pinning
    ? `server pinned to core ${host.pinning.serverCore}, load to core ${host.pinning.loadCore}`
    : "**NOT pinned**: taskset or a second core is missing, so server and load disturb each other";
  const packages = Object.entries(host.packages).map(([name, version]) => `${name} ${version}`);
  const inMemory = host.dataRootInMemory ? " (**in memory: syncs cost nothing here**)" : "";
  return [
    `# heddle bench, ${plan.name}, ${host.date.slice(0, 10)}`,
    "",
    `- ${host.cores} cores, ${host.cpu}, ${host.memoryGb} GB, Linux ${host.kernel}, Node ${host.node}`,
    `- ${pinned}; load average at start ${host.loadAverageAtStart.toFixed(2)}`,
    `- data in ${host.dataRoot}${inMemory}; commit: ${host.commit}`,
    `- ${packages.join(", ")}`,
    `- ${plan.rounds} alternating round(s) in ${Math.round(seconds)} s; figures are medians (min–max); "× stock" is the median as a multiple of ${stockServerId}'s`,
    ...servers.map((server) => `- ${server.id}: ${server.durability}`),
  ].join("\n");
}

function formatTable(table: Table, outcomes: readonly ServerOutcome[]): string {
  const stock = outcomes.find((outcome) => outcome.server === stockServerId);
  const heads = table.columns.flatMap((column) =>
    column.versusStock && stock ? [column.title, "× stock"] : [column.title],
  );
  const lines = outcomes.map((outcome) => {
    const cells = table.columns.flatMap((column) => formatCells(column, outcome, stock));
    return [outcome.server, ...cells, formatNote(outcome)];
  });
  const rows = [["server", ...heads, "note"], ["---", ...heads.map(() => "---:"), "---"], ...lines];
  const grid = rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `## ${table.title}\n\n${table.explanation}\n\n${grid}`;
}

function formatCells(column: Column, outcome: ServerOutcome, stock?: ServerOutcome): string[] {
  const spread = spreadOf(valuesOf(column.key, outcome.samples));
  const stockSpread = stock && spreadOf(valuesOf(column.key, stock.samples));
  const number = (value: number): string =>
    value.toLocaleString("en", {
      minimumFractionDigits: column.digits,
      maximumFractionDigits: column.digits,
    });
  const range =
    spread && spread.min < spread.max ? ` (${number(spread.min)}–${number(spread.max)})` : "";
  const value = spread ? number(spread.median) + range : "–";
  if (!column.versusStock || !stock) return [value];
  const ratio = spread && stockSpread ? spread.median / stockSpread.median : Number.NaN;
  return [value, Number.isFinite(ratio) ? ratio.toFixed(2) : "–"];
}

function formatNote(outcome: ServerOutcome): string {
  const loadCpu = spreadOf(valuesOf("loadCpu", outcome.samples))?.median ?? 0;
  const othersCpu = spreadOf(valuesOf("othersCpu", outcome.samples))?.max ?? 0;
  const notes = [
    ...(loadCpu > loadBoundAbove ? ["load bound"] : []),
    ...(othersCpu > disturbedAbove ? [`others took ${othersCpu.toFixed(2)} of a core`] : []),
    ...(outcome.problems.length > 0 ? [`${outcome.problems.length} run(s) failed, see below`] : []),
  ];
  return notes.join("; ");
}

function formatProblems(rows: readonly RowResult[]): string[] {
  const lines = rows.flatMap((row) =>
    row.outcomes.flatMap(({ server, problems }) =>
      problems.map((problem) => `- ${row.id}, ${server}: ${problem.replaceAll("\n", " ")}`),
    ),
  );
  return lines.length === 0 ? [] : [`## Not measured\n\n${lines.join("\n")}`];
}

function valuesOf(key: string, samples: readonly Sample[]): number[] {
  return samples.flatMap((sample) => sample[key] ?? []);
}
