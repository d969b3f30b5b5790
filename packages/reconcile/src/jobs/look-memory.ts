import type { DocumentId, MoveMark } from "@heddle/core";

import { partitionsMovedSince } from "../moved-partitions.ts";
import type { GenerationId } from "../projection-layout.ts";
import type { ProjectionSource } from "../projection-source.ts";
import type { ProjectionStore } from "../projection-store.ts";
import { LeftPlaces } from "./left-places.ts";

/** What both sides had written, and runs had left, when a look began. */
export interface LookMarks {
  readonly store: MoveMark;
  readonly source: MoveMark;
  readonly left: MoveMark;
}

/** A run, and when it began by the wall clock. */
export interface LookedAt {
  readonly run: string;
  readonly atMs: number;
}

/** Of a look at everything. */
export interface WholeLook extends LookedAt {
  /** By the monotonic clock. */
  readonly beganMs: number;
  readonly partitions: number;
}

/** A look that came to its end, so that the next one can be at what moved since. */
export interface LastLook extends LookedAt {
  readonly definition: string;
  readonly generation: number;
  readonly marks: LookMarks;
  /** The last one that left nothing out. */
  readonly whole: WholeLook;
}

/** A look at everything that has begun, and may be interrupted. */
export interface BegunLook extends LookedAt {
  readonly beganMs: number;
  readonly marks: LookMarks;
}

/**
 * What the runs of one process know of those before them. It is nowhere else: a process that ended, or was
 * killed, has looked at nothing, and its successor begins with a look at everything.
 */
export class LookMemory {
  readonly #last = new Map<string, LastLook>();
  readonly #begun = new Map<string, BegunLook>();
  readonly #left = new Map<string, LeftPlaces>();

  /** Of a projection, whichever job it was. */
  lastOf(projection: string): LastLook | undefined {
    return this.#last.get(projection);
  }

  ended(projection: string, look: LastLook): void {
    this.#last.set(projection, look);
  }

  /** The look of that run, if it was in this process that it began. */
  begunOf(projection: string, job: string, run: string): BegunLook | undefined {
    const begun = this.#begun.get(`${projection}\0${job}`);
    return begun?.run === run ? begun : undefined;
  }

  began(projection: string, job: string, look: BegunLook): void {
    this.#begun.set(`${projection}\0${job}`, look);
  }

  /** What runs of a projection found and did not make right: all of them, dry ones and those of a part, too. */
  leftOf(projection: string): LeftPlaces {
    let left = this.#left.get(projection);
    if (left === undefined) this.#left.set(projection, (left = new LeftPlaces()));
    return left;
  }
}

/** Where something may be other than the last look found it. */
export interface MovedPlaces {
  readonly since: LastLook;
  readonly partitions: ReadonlySet<string>;
  readonly documents: ReadonlySet<DocumentId>;
}

/** To be taken before anything is read; `undefined` where one of the two does not tell. */
export function marksOf({ store, source }: LookSides, left: LeftPlaces): LookMarks | undefined {
  if (store.moves === undefined || source.moves === undefined) return undefined;
  return { store: store.moves.mark(), source: source.moves.mark(), left: left.mark() };
}

/** What moved on either side since a look began, and what runs left since then; `undefined` when nobody knows. */
export function movedPlaces(
  { store, source }: LookSides,
  left: LeftPlaces,
  generation: GenerationId,
  since: LastLook,
): MovedPlaces | undefined {
  if (store.moves === undefined || source.moves === undefined) return undefined;
  const { marks } = since;
  const partitions = partitionsMovedSince(store.moves, marks.store, generation);
  const documents = source.moves.since(marks.source);
  const leftSince = left.since(marks.left);
  if (partitions === undefined || documents === undefined || leftSince === undefined)
    return undefined;
  return {
    since,
    partitions: new Set([...partitions, ...leftSince.partitions]),
    documents: new Set([...(documents as readonly DocumentId[]), ...leftSince.documents]),
  };
}

export function isNothing({ partitions, documents }: MovedPlaces): boolean {
  return partitions.size + documents.size === 0;
}

export interface LookSides {
  readonly store: Pick<ProjectionStore, "moves">;
  readonly source: Pick<ProjectionSource, "moves">;
}
