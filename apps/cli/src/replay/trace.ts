/** `deleteCount` characters go at `position`, then `text` comes there. Offsets of a JavaScript string. */
export type Patch = readonly [position: number, deleteCount: number, text: string];

export interface TraceTransaction {
  readonly agent: number;
  /** Earlier transactions whose merge is the state that `patches` speak of. */
  readonly parents: readonly number[];
  readonly patches: readonly Patch[];
}

/**
 * A recorded editing session. A sequential one has a single agent and each transaction builds on
 * the one before; a start content is its first transaction.
 */
export interface Trace {
  readonly name: string;
  readonly agents: number;
  readonly transactions: readonly TraceTransaction[];
  /** The text that a right replay ends with. */
  readonly endContent: string;
}
