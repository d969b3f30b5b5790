/**
 * Structs of one client that follow each other without a hole. Yjs' Skip structs never appear: they
 * end one run, and the next begins behind them.
 */
export interface StructRun {
  readonly client: number;
  /** Clock of the first unit and the clock behind the last one. */
  readonly clock: number;
  readonly endClock: number;
  readonly structCount: number;
  /** Where the structs lie in the update's bytes. */
  readonly start: number;
  readonly end: number;
}

/** Deleted clocks of one client as flat pairs `[clock, endClock, …]`, ascending, never touching. */
export interface ClientDeletes {
  readonly client: number;
  readonly ranges: readonly number[];
}

/**
 * A Yjs V1 update that passed the validator: its bytes and an index of them. The bytes are those that
 * were given, not a copy; who reuses receive buffers copies first.
 */
export interface ParsedUpdate {
  readonly bytes: Uint8Array;
  /** In the order of the bytes; runs of one client stand together, clocks ascending. */
  readonly runs: readonly StructRun[];
  readonly deletes: readonly ClientDeletes[];
  /** For each client: the highest clock that structs of *other* clients in this update refer to. */
  readonly requires: ReadonlyMap<number, number>;
  /** Clients descend in both sections and there are no holes, as in what a live Yjs document emits. */
  readonly isPlain: boolean;
  /** At least one struct says that it is the value of a key. */
  readonly hasKeys: boolean;
  /** At least one struct names its parent by id, which another update may hold. */
  readonly hasParentIds: boolean;
  readonly hasSubdocuments: boolean;
  readonly typeCount: number;
}

/** Whether the update changes no document at all. */
export function isEmptyUpdate(update: ParsedUpdate): boolean {
  return update.runs.length === 0 && update.deletes.length === 0;
}
