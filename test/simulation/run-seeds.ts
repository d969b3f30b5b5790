import { simulate, type SimScenario, type SimulationReport } from "@heddle/testkit";
import { expect } from "vitest";

/** Sums of what happened in many worlds. */
export interface SeedsReport {
  seeds: number;
  edits: number;
  crashes: number;
  /** What was done to machines, and to frames. */
  faults: number;
  envelopes: number;
  duplicates: number;
  gaps: number;
  incomplete: number;
  forks: number;
  /** Checkpoints of others that were taken. */
  adopted: number;
}

/** Runs `count` seeds from `first` on and expects every promise to be kept in each of them. */
export async function runSeeds(
  scenario: SimScenario,
  first: number,
  count: number,
): Promise<SeedsReport> {
  const sums: SeedsReport = {
    seeds: 0,
    edits: 0,
    crashes: 0,
    faults: 0,
    envelopes: 0,
    duplicates: 0,
    gaps: 0,
    incomplete: 0,
    forks: 0,
    adopted: 0,
  };
  for (let seed = first; seed < first + count; seed++) {
    const report = await simulate({ seed, scenario });
    expect(report.broken, replayCommand(report, scenario)).toBeUndefined();
    addTo(sums, report);
  }
  return sums;
}

/** Whoever fails a seed prints this, and nothing else is needed to see what happened. */
export function replayCommand({ seed }: SimulationReport, scenario: SimScenario): string {
  return `replay it: npm run build && node scripts/simulate.mjs --seed ${seed} --scenario ${scenario} --timeline`;
}

function addTo(sums: SeedsReport, report: SimulationReport): void {
  const { lost, duplicated, corrupted, blocked } = report.network;
  sums.seeds++;
  sums.edits += report.edits;
  sums.crashes += report.crashes;
  sums.faults += report.faults + lost + duplicated + corrupted + blocked;
  sums.envelopes += report.envelopes;
  sums.duplicates += report.duplicates;
  sums.gaps += report.gaps;
  sums.incomplete += report.incomplete;
  sums.forks += report.forks;
  sums.adopted += report.adopted;
}
