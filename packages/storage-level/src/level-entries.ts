/** One version of one key, as LevelDB keeps it in its files. */
export interface LevelEntry {
  readonly key: Uint8Array;
  /** Rises with every write; the highest one of a key counts. */
  readonly sequence: bigint;
  /** `undefined` for a deletion. */
  readonly value: Uint8Array | undefined;
}

/**
 * How an entry was come by, from best to worst:
 *
 * - `whole`: what holds it passed LevelDB's checksum.
 * - `placed`: it did not, and the structure around it makes sense to its end.
 * - `found`: by what it looks like, among bytes that make no sense. Such bytes can be the content of
 *   somebody's update, made to look like a record.
 */
export type Provenance = "whole" | "placed" | "found";

export interface SalvagedEntry extends LevelEntry {
  readonly provenance: Provenance;
}

export const ValueType = { deletion: 0, value: 1 } as const;

/** Says what is wrong in a file, and where. */
export type ReportFault = (offset: number, why: string) => void;
