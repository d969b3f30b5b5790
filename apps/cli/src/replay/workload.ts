import type { Crew } from "./crew.ts";
import type { Work } from "./progress.ts";

/** What people type, before there are clients to type at. */
export interface Workload {
  readonly name: string;
  readonly agents: number;
  /** How many transactions are to be typed; an upper bound when some may change nothing. */
  readonly transactions: number;
  begin(crew: Crew): Typing;
}

/** A workload at work. `step` answers "done" once everything is typed, not once it has arrived. */
export interface Typing extends Work {
  /** The text every replica has to end with. Asked only after everything was typed. */
  expectedContent(): string;
  close(): void;
}
