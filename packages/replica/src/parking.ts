import { equalBytes, limits, toHex, type Environment, type ParkedUpdate } from "@heddle/core";
import {
  mergeParsed,
  parseStored,
  WaitingUpdates,
  type DocumentKnowledge,
  type ParsedUpdate,
  type WorkBudget,
} from "@heddle/document";

import { makeRoom, type ParkingBound } from "./make-room.ts";
import { ParkedEntry } from "./parked-entry.ts";
import { defaultParkingBounds, type ParkingBounds } from "./parking-bounds.ts";
import type { UpdateSource } from "./pending-updates.ts";

/** What parking an update changes; nothing when there is no room for it. */
export type ParkingChange =
  | { readonly full: ParkingBound }
  | {
      /** What to write; `undefined` when it is parked already. */
      readonly parked: ParkedUpdate | undefined;
      /** Ids of what is in `parked` now. */
      readonly replaced: readonly string[];
      /** What had to make room. */
      readonly evicted: readonly ParkedEntry[];
    };

/** What became free of a parked update. */
export interface FreedUpdate {
  readonly entry: ParkedEntry;
  /** Missing when all that was left is known otherwise; then it is parked no more. */
  readonly update: ParsedUpdate | undefined;
}

/** Whose records are that a restart found. */
const unknownParty = "";

/**
 * The updates of one document that wait for what they depend on (DOC-6): which there are, whose they are,
 * and when they are too many. Records on disk are written once and stay as they are until everything in
 * them is logged; how far that has come is known in memory only, because to log it again adds nothing.
 */
export class Parking {
  readonly #environment: Environment;
  /** Oldest first, but for merged ones. */
  readonly #entries = new Map<string, ParkedEntry>();
  readonly #waiting = new WaitingUpdates();
  /** Not taken apart yet. */
  readonly #unread = new Set<ParkedEntry>();
  #bytes = 0;

  constructor(environment: Environment, stored: readonly ParkedUpdate[]) {
    this.#environment = environment;
    for (const record of stored)
      this.#hold(new ParkedEntry(record, { party: unknownParty, senders: new Set() }));
  }

  get count(): number {
    return this.#entries.size;
  }

  /** On disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Wall time at which the oldest was parked. */
  get oldestAtMs(): number | undefined {
    let oldest: number | undefined;
    for (const { record } of this.#entries.values()) {
      if (oldest === undefined || record.parkedAtMs < oldest) oldest = record.parkedAtMs;
    }
    return oldest;
  }

  /** Whether there is something for {@link next} to look at. */
  get hasWork(): boolean {
    return this.#unread.size > 0 || this.#waiting.hasWork;
  }

  /** Bytes that {@link next} takes apart before anything else. */
  get unreadBytes(): number {
    let bytes = 0;
    for (const { record } of this.#unread) bytes += record.update.length;
    return bytes;
  }

  /** Takes `update` in, if there is room or can be made. */
  add(
    update: Uint8Array,
    source: UpdateSource,
    bounds: ParkingBounds = defaultParkingBounds,
  ): ParkingChange {
    if (this.#entries.has(this.#idOf(update)))
      return { parked: undefined, replaced: [], evicted: [] };
    const nowMs = this.#environment.clock.nowMs();
    const fresh = { id: "", update, parkedAtMs: nowMs, principal: source.principal };
    const { address: party, tag } = source;
    const entry = new ParkedEntry(fresh, { party, tag, senders: new Set([new WeakRef(source)]) });
    const { merged, replaces } = this.#merge(entry);
    const id = this.#idOf(merged.update);
    const held = this.#entries.get(id);
    if (held) replaces.delete(held);
    const room = held
      ? { evicts: [] }
      : makeRoom(
          { party: entry.party, bytes: merged.update.length, replaces },
          this.#entries.values(),
          bounds,
        );
    if ("full" in room) return room;
    for (const { record } of [...replaces, ...room.evicts]) this.drop(record.id);
    const replaced = [...replaces].map(({ record }) => record.id);
    if (held) return { parked: undefined, replaced, evicted: [] };
    const parked = { ...merged, id };
    // What several have sent is nobody's in particular.
    const origin = replaces.size === 0 ? { party, tag } : { party };
    const senders = aliveSendersOf([entry, ...replaces]);
    this.#hold(new ParkedEntry(parked, { ...origin, senders }));
    return { parked, replaced, evicted: room.evicts };
  }

  /** Lets go of an update whatever it waits for. */
  drop(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#bytes -= entry.record.update.length;
    this.#unread.delete(entry);
    this.#waiting.remove(id);
  }

  /** To be called with whatever the knowledge has learned. */
  advance(learned: ParsedUpdate): void {
    this.#waiting.advance(learned);
  }

  /**
   * The next part that is free, or nothing within the budget. The caller says with {@link keep} that
   * `knowledge` has learned it, with {@link putBack} that it has not, or lets go of all of it.
   */
  next(knowledge: DocumentKnowledge, budget: WorkBudget): FreedUpdate | undefined {
    for (const entry of this.#unread) {
      if (budget.isSpent) return undefined;
      this.#read(entry, budget);
    }
    const freed = this.#waiting.next(knowledge, budget);
    if (freed === undefined) return undefined;
    const entry = this.#entries.get(freed.id)!;
    if (freed.update === undefined) this.drop(freed.id);
    return { entry, update: freed.update };
  }

  /** The part last freed of `id` waits for its trial. */
  markTried(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) entry.isTried = true;
  }

  /** The part last freed of `id` is known now. True when that was the rest of it: it is parked no more. */
  keep(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    entry.isTried = false;
    if (!this.#waiting.keep(id)) return false;
    this.drop(id);
    return true;
  }

  /** The part last freed of `id` is not known: it is freed again. */
  putBack(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) entry.isTried = false;
    this.#waiting.putBack(id);
  }

  /**
   * Joins deletes with those of the same party that are at most twice as large: there are never more of
   * them than doublings in the bound, and a range is written again as often at most.
   */
  #merge(entry: ParkedEntry): { merged: ParkedUpdate; replaces: Set<ParkedEntry> } {
    const replaces = new Set<ParkedEntry>();
    let { update, parkedAtMs } = entry.record;
    const mayMerge = entry.hasOnlyDeletes && entry.party !== unknownParty;
    for (const other of mayMerge ? [...this.#entries.values()].toReversed() : []) {
      if (other.isTried || !isSameKind(other, entry)) continue;
      const { length } = other.record.update;
      if (length > 2 * update.length || length + update.length > limits.updateBytesMax) break;
      replaces.add(other);
      update = mergeParsed([parseStored(other.record.update), parseStored(update)]);
      parkedAtMs = Math.min(parkedAtMs, other.record.parkedAtMs);
    }
    return { merged: { ...entry.record, update, parkedAtMs }, replaces };
  }

  #read(entry: ParkedEntry, budget: WorkBudget): void {
    const { id, update } = entry.record;
    const parsed = parseStored(update);
    this.#unread.delete(entry);
    entry.places = this.#waiting.add(id, parsed);
    budget.spendBytes(update.length);
    for (const { structCount } of parsed.runs) budget.spend(structCount / 2);
    for (const { ranges } of parsed.deletes) budget.spend(ranges.length / 4);
  }

  #hold(entry: ParkedEntry): void {
    this.#entries.set(entry.record.id, entry);
    this.#unread.add(entry);
    this.#bytes += entry.record.update.length;
  }

  #idOf(update: Uint8Array): string {
    return toHex(this.#environment.hash.sha256(update).subarray(0, 16));
  }
}

/** Each sender once, and none that is gone. */
function aliveSendersOf(entries: readonly ParkedEntry[]): Set<WeakRef<UpdateSource>> {
  const alive = new Map<UpdateSource | undefined, WeakRef<UpdateSource>>();
  for (const { senders } of entries) {
    for (const sender of senders) alive.set(sender.deref(), sender);
  }
  alive.delete(undefined);
  return new Set(alive.values());
}

/** Whether their deletes may lie in one record. */
function isSameKind(a: ParkedEntry, b: ParkedEntry): boolean {
  const { principal } = a.record;
  const other = b.record.principal;
  const isSamePrincipal =
    principal === undefined || other === undefined
      ? principal === other
      : equalBytes(principal, other);
  return isSamePrincipal && a.party === b.party && a.hasOnlyDeletes && b.hasOnlyDeletes;
}
