import type { Sample } from "../load/jobs.ts";
import type { Pinning } from "../pinning.ts";
import type { Plan } from "../plan.ts";
import type { ServerKind } from "../servers/server.ts";

/** What a row needs to run: sizes, cores, and folders that are removed when the bench ends. */
export interface RowContext {
  readonly plan: Plan;
  readonly pinning: Pinning | undefined;
  makeFolder(): string;
}

/** One piece of work that every server does; its figures may fill more than one table. */
export interface Row {
  readonly id: string;
  readonly tables: readonly Table[];
  /** For rows that take minutes and repeat themselves well. */
  readonly roundsMax?: number;
  appliesTo(server: ServerKind): boolean;
  /** One run: a fresh server on a fresh folder, a fresh load process. */
  measure(server: ServerKind, context: RowContext): Promise<readonly Sample[]>;
}

export interface Table {
  readonly title: string;
  readonly explanation: string;
  readonly columns: readonly Column[];
}

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  /** Also shown as a multiple of the stock server's median. */
  readonly versusStock?: true;
}

/** Shown wherever a load runs, because they tell how far the other figures can be trusted. */
export const cpuColumns: readonly Column[] = [
  { key: "serverCpu", title: "server core", digits: 2 },
  { key: "loadCpu", title: "load core", digits: 2 },
];

/** On top of the time a job asks for: start, making updates, connecting. */
export const loadOverheadMs = 60_000;
