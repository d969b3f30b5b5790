import type { Environment } from "@heddle/core";
import {
  deadChangesPath,
  decodeDeadChange,
  decodeDropped,
  encodeDeadChange,
  encodeDropped,
  readOr,
  readRecords,
  sinkDroppedPath,
  type DeadChange,
  type ProjectionBatch,
  type ProjectionStore,
  type RecordPath,
} from "@heddle/reconcile";

/** Whose dead changes, and where they are kept. */
export interface DeadChangesParts {
  /** Name of the sink. */
  readonly sink: string;
  readonly store: ProjectionStore;
  readonly environment: Pick<Environment, "clock" | "logger">;
  /** Without it nothing is ever dropped: for those who only look. */
  readonly bounds?: { readonly countMax: number; readonly ageMsMax: number };
}

/** One that is kept; `change` is missing when its record cannot be read. */
export interface KeptDead {
  readonly id: string;
  readonly change: DeadChange | undefined;
}

/** Changes that one sink gave up: kept, until somebody sees to them or there are too many. */
export class DeadChanges {
  readonly #parts: DeadChangesParts;
  /** Id → when it was given up, oldest first. */
  #kept = new Map<string, number>();
  #dropped = 0;
  #opening: Promise<void> | undefined;

  constructor(parts: DeadChangesParts) {
    this.#parts = parts;
  }

  /** How many are kept; known once {@link open} has resolved. */
  get count(): number {
    return this.#kept.size;
  }

  /** How many there was no room for, or were too old, ever. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Reads what is kept, once. @throws HeddleError `HEDDLE_STORAGE_*`; so do the others. */
  open(): Promise<void> {
    this.#opening ??= this.#read().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Oldest first, from behind the first `skip`. */
  async list(limit: number, skip = 0): Promise<readonly KeptDead[]> {
    await this.open();
    const ids = [...this.#kept.keys()].slice(skip, skip + limit);
    if (ids.length === 0) return [];
    const values = await this.#parts.store.get(ids.map((id) => this.#pathOf(id)));
    return ids.map((id, index) => {
      return { id, change: readOr(values[index], (bytes) => decodeDeadChange(id, bytes)) };
    });
  }

  async get(id: string): Promise<KeptDead | undefined> {
    await this.open();
    if (!this.#kept.has(id)) return undefined;
    const [value] = await this.#parts.store.get([this.#pathOf(id)]);
    return { id, change: readOr(value, (bytes) => decodeDeadChange(id, bytes)) };
  }

  /** Keeps a change as dead, in one batch with what goes with it. The oldest make room for it, and are counted. */
  async keep(change: DeadChange, { put = [], audit = [] }: ProjectionBatch = {}): Promise<void> {
    await this.open();
    const { store, bounds } = this.#parts;
    const others = [...this.#kept.keys()].filter((id) => id !== change.id);
    const isFull = bounds !== undefined && others.length >= bounds.countMax;
    const oldest = isFull ? others.slice(0, others.length - bounds.countMax + 1) : [];
    const record = { path: this.#pathOf(change.id), value: encodeDeadChange(change) };
    const dropping = this.#dropping(oldest);
    const { remove } = dropping;
    await store.apply({ put: [...put, ...dropping.put, record], remove, audit });
    this.#kept.delete(change.id);
    this.#kept.set(change.id, change.atMs);
    this.#forget(oldest, "room");
  }

  /** Takes one off the list, with what goes with it. @returns whether it was there. */
  async remove(id: string, { audit = [] }: ProjectionBatch = {}): Promise<boolean> {
    await this.open();
    if (!this.#kept.has(id)) return false;
    await this.#parts.store.apply({ remove: [this.#pathOf(id)], audit });
    this.#kept.delete(id);
    return true;
  }

  /** Drops what is too old, some of it. */
  async dropOld(): Promise<void> {
    await this.open();
    const { bounds, store, environment } = this.#parts;
    if (bounds === undefined) return;
    const fromMs = environment.clock.nowMs() - bounds.ageMsMax;
    const old: string[] = [];
    for (const [id, atMs] of this.#kept) {
      if (atMs >= fromMs || old.length >= dropsMax) break;
      old.push(id);
    }
    if (old.length === 0) return;
    await store.apply(this.#dropping(old));
    this.#forget(old, "age");
  }

  async #read(): Promise<void> {
    const { sink, store } = this.#parts;
    const kept: [string, number][] = [];
    for await (const { path, value } of readRecords(store, deadChangesPath(sink))) {
      const id = path.at(-1)!;
      // One that cannot be read is shown all the same, and goes first when there is no room.
      kept.push([id, readOr(value, (bytes) => decodeDeadChange(id, bytes))?.atMs ?? 0]);
    }
    this.#kept = new Map(kept.toSorted(([, a], [, b]) => a - b));
    const [dropped] = await store.get([sinkDroppedPath(sink)]);
    this.#dropped = readOr(dropped, decodeDropped)?.count ?? 0;
  }

  #dropping(ids: readonly string[]): Required<Pick<ProjectionBatch, "put" | "remove">> {
    const { sink, environment } = this.#parts;
    if (ids.length === 0) return { put: [], remove: [] };
    const atMs = Math.floor(environment.clock.nowMs());
    const value = encodeDropped({ count: this.#dropped + ids.length, atMs });
    return {
      put: [{ path: sinkDroppedPath(sink), value }],
      remove: ids.map((id) => this.#pathOf(id)),
    };
  }

  #forget(ids: readonly string[], why: "room" | "age"): void {
    if (ids.length === 0) return;
    for (const id of ids) this.#kept.delete(id);
    this.#dropped += ids.length;
    const { sink, environment } = this.#parts;
    environment.logger.error("sink.dead_dropped", { sink, count: ids.length, why });
  }

  #pathOf(id: string): RecordPath {
    return [...deadChangesPath(this.#parts.sink), id];
  }
}

/** Of one look at their age. */
const dropsMax = 1_000;
