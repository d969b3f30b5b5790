import type { MoveLedger, MoveMark } from "@heddle/core";

import type { ProjectionBatch } from "./projection-store.ts";
import { kindPath, type GenerationId, type RecordKind } from "./projection-layout.ts";

/** Kinds of records that a reconciliation job compares; their paths name a partition. */
const comparedKinds: ReadonlySet<string> = new Set<RecordKind>(["marker", "row", "share", "total"]);

/** No part of a path holds it. */
const between = "\0";

/** What a store notes of a batch: the partitions in which something is compared that the batch writes. */
export function movedPartitions({ put = [], remove = [] }: ProjectionBatch): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (path: readonly string[]): void => {
    const [kind, projection, number, partition] = path;
    if (!comparedKinds.has(kind!) || partition === undefined) return;
    names.add([projection, number, partition].join(between));
  };
  for (const { path } of put) add(path);
  for (const path of remove) add(path);
  return names;
}

/** Partitions of a generation that were written after a mark; `undefined` when nobody knows. */
export function partitionsMovedSince(
  moves: MoveLedger,
  mark: MoveMark,
  generation: GenerationId,
): readonly string[] | undefined {
  const [, projection, number] = kindPath("marker", generation);
  const prefix = [projection, number, ""].join(between);
  return moves
    .since(mark)
    ?.filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}
