import {
  HeddleError,
  HeddleErrorCode,
  toHex,
  type Environment,
  type ParkedUpdate,
} from "@heddle/core";
import {
  admitUpdate,
  blockersOf,
  parseStored,
  type DocumentKnowledge,
  type ParsedUpdate,
} from "@heddle/document";

import type { UpdateSource } from "./pending-updates.ts";

/** Bounds per document: a stranger's updates that lead nowhere may not fill the disk. */
export const parkedBytesMax = 16 * 1024 * 1024;
export const parkedCountMax = 1024;

export interface ReleasedUpdate {
  readonly id: string;
  readonly update: ParsedUpdate;
  readonly source: UpdateSource;
}

/** Outcome of looking at parked updates again. */
export interface ParkingReview {
  /** Parts whose dependencies have arrived, in an order in which they can be logged. */
  readonly admitted: readonly ReleasedUpdate[];
  /** Ids that need no parking any more. */
  readonly released: readonly string[];
  /** What is left of updates that were admitted in part. */
  readonly parked: readonly ParkedUpdate[];
  /** Could be admitted in part, but must be tried first. They stay parked, and are not reviewed. */
  readonly suspects: readonly ReleasedUpdate[];
}

interface ParkedEntry {
  readonly record: ParkedUpdate;
  readonly parsed: ParsedUpdate;
}

interface Blocker {
  readonly clock: number;
  readonly id: string;
}

/**
 * The updates of one document that wait for what they depend on (DOC-6). Each is filed under the
 * clients and clocks that it waits for, so that an update of others costs nothing, however many wait.
 */
export class Parking {
  readonly #environment: Environment;
  readonly #entries = new Map<string, ParkedEntry>();
  readonly #blockers = new Map<number, Blocker[]>();
  /** Not filed yet: they are looked at in the next review, whatever arrives. */
  readonly #unfiled = new Set<string>();
  #bytes = 0;

  constructor(environment: Environment, stored: readonly ParkedUpdate[]) {
    this.#environment = environment;
    for (const record of stored) this.#hold(record);
  }

  get count(): number {
    return this.#entries.size;
  }

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

  /**
   * Takes `update` in; `undefined` when it is here already.
   *
   * @throws HeddleError `HEDDLE_RELAY_OVERLOADED` when the document has too much parked: the sender
   * keeps its content and may try again.
   */
  add(update: Uint8Array, source: UpdateSource, parkedAtMs?: number): ParkedUpdate | undefined {
    const { clock, hash } = this.#environment;
    const id = toHex(hash.sha256(update).subarray(0, 16));
    if (this.#entries.has(id)) return undefined;
    if (this.#entries.size >= parkedCountMax || this.#bytes + update.length > parkedBytesMax) {
      const message = "too many updates of this document wait for earlier ones";
      throw new HeddleError(HeddleErrorCode.relayOverloaded, message);
    }
    const { principal } = source;
    const record = { id, update, parkedAtMs: parkedAtMs ?? clock.nowMs(), principal };
    this.#hold(record);
    return record;
  }

  /** Lets go of an update whatever it waits for: it was refused, or taken in otherwise. */
  drop(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry || !this.#entries.delete(id)) return;
    this.#bytes -= entry.record.update.length;
    this.#unfiled.delete(id);
    if (this.#entries.size === 0) this.#blockers.clear();
  }

  /** Puts an update back among those that are reviewed. */
  reconsider(id: string): void {
    if (this.#entries.has(id)) this.#unfiled.add(id);
  }

  /**
   * Looks again at what waits for `learned`, which `knowledge` holds already, and for what is freed by
   * that; `knowledge` learns what is admitted.
   */
  review(
    knowledge: DocumentKnowledge,
    learned: ParsedUpdate,
    isTrusted: (admitted: ParsedUpdate) => boolean = () => true,
  ): ParkingReview {
    const admitted: ReleasedUpdate[] = [];
    const suspects: ReleasedUpdate[] = [];
    const released: string[] = [];
    const rests = new Map<string, ParkedUpdate>();
    let advanced = new Set(learned.runs.map((run) => run.client));
    for (let due = this.#due(knowledge, advanced); due.length > 0;) {
      advanced = new Set();
      for (const id of due) {
        const { record, parsed } = this.#entries.get(id)!;
        const admission = admitUpdate(knowledge, parsed);
        if (!admission.admitted && admission.parked) {
          this.#file(knowledge, id, parsed);
          continue;
        }
        const source = { principal: record.principal };
        if (admission.admitted && !isTrusted(admission.admitted)) {
          suspects.push({ id, update: parsed, source });
          continue;
        }
        this.drop(id);
        if (!rests.delete(id)) released.push(id);
        if (admission.admitted) {
          knowledge.learn(admission.admitted);
          for (const run of admission.admitted.runs) advanced.add(run.client);
          admitted.push({ id, update: admission.admitted, source });
        }
        const rest = admission.parked && this.add(admission.parked, source, record.parkedAtMs);
        if (rest) rests.set(rest.id, rest);
      }
      due = this.#due(knowledge, advanced);
    }
    return { admitted, released, parked: [...rests.values()], suspects };
  }

  /** Takes out of the file what waits for no more than is known of `clients`. */
  #due(knowledge: DocumentKnowledge, clients: Iterable<number>): string[] {
    const due = new Set(this.#unfiled);
    this.#unfiled.clear();
    for (const client of clients) {
      const blockers = this.#blockers.get(client);
      if (blockers === undefined) continue;
      const clock = knowledge.clockOf(client);
      const left = blockers.filter((blocker) => blocker.clock > clock);
      if (left.length === blockers.length) continue;
      for (const blocker of blockers) if (blocker.clock <= clock) due.add(blocker.id);
      if (left.length > 0) this.#blockers.set(client, left);
      else this.#blockers.delete(client);
    }
    return [...due].filter((id) => this.#entries.has(id));
  }

  #file(knowledge: DocumentKnowledge, id: string, parsed: ParsedUpdate): void {
    for (const [client, clock] of blockersOf(knowledge, parsed)) {
      const blockers = this.#blockers.get(client);
      if (blockers) blockers.push({ clock, id });
      else this.#blockers.set(client, [{ clock, id }]);
    }
  }

  #hold(record: ParkedUpdate): void {
    this.#entries.set(record.id, { record, parsed: parseStored(record.update) });
    this.#unfiled.add(record.id);
    this.#bytes += record.update.length;
  }
}
