import {
  HeddleError,
  HeddleErrorCode,
  toHex,
  type Environment,
  type ParkedUpdate,
} from "@heddle/core";
import { admitUpdate, parseUpdate, type DocumentKnowledge, type ParsedUpdate } from "@heddle/document";

import type { UpdateSource } from "./pending-updates.ts";

/** Bounds per document: a stranger's updates that lead nowhere may not fill the disk. */
export const parkedBytesMax = 16 * 1024 * 1024;
export const parkedCountMax = 1024;

export interface ReleasedUpdate {
  readonly update: ParsedUpdate;
  readonly source: UpdateSource;
}

/** Outcome of looking at all parked updates again. */
export interface ParkingReview {
  /** Parts whose dependencies have arrived, in an order in which they can be logged. */
  readonly admitted: readonly ReleasedUpdate[];
  /** Ids that need no parking any more. */
  readonly released: readonly string[];
  /** What is left of updates that were admitted in part. */
  readonly parked: readonly ParkedUpdate[];
}

interface ParkedEntry {
  readonly record: ParkedUpdate;
  readonly parsed: ParsedUpdate;
}

/** The updates of one document that wait for what they depend on (DOC-6). */
export class Parking {
  readonly #environment: Environment;
  readonly #entries = new Map<string, ParkedEntry>();
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

  /**
   * Takes `update` in; `undefined` when it is here already.
   *
   * @throws HeddleError `HEDDLE_RELAY_OVERLOADED` when the document has too much parked: the sender
   * keeps its content and may try again.
   */
  add(update: Uint8Array, source: UpdateSource): ParkedUpdate | undefined {
    const { clock, hash } = this.#environment;
    const id = toHex(hash.sha256(update).subarray(0, 16));
    if (this.#entries.has(id)) return undefined;
    if (this.#entries.size >= parkedCountMax || this.#bytes + update.length > parkedBytesMax) {
      const message = "too many updates of this document wait for earlier ones";
      throw new HeddleError(HeddleErrorCode.relayOverloaded, message);
    }
    const record = { id, update, parkedAtMs: clock.nowMs(), principal: source.principal };
    this.#hold(record);
    return record;
  }

  /** Looks again at everything parked, until a whole pass frees nothing; `knowledge` learns. */
  review(knowledge: DocumentKnowledge): ParkingReview {
    const admitted: ReleasedUpdate[] = [];
    const released: string[] = [];
    const rests = new Map<string, ParkedUpdate>();
    for (let progressed = true; progressed && this.#entries.size > 0; ) {
      progressed = false;
      for (const { record, parsed } of [...this.#entries.values()]) {
        const admission = admitUpdate(knowledge, parsed);
        if (!admission.admitted && admission.parked) continue;
        progressed = true;
        this.#drop(record.id);
        if (!rests.delete(record.id)) released.push(record.id);
        const source = { principal: record.principal };
        if (admission.admitted) {
          knowledge.learn(admission.admitted);
          admitted.push({ update: admission.admitted, source });
        }
        const rest = admission.parked && this.add(admission.parked, source);
        if (rest) rests.set(rest.id, rest);
      }
    }
    return { admitted, released, parked: [...rests.values()] };
  }

  #hold(record: ParkedUpdate): void {
    this.#entries.set(record.id, { record, parsed: parseUpdate(record.update) });
    this.#bytes += record.update.length;
  }

  #drop(id: string): void {
    const entry = this.#entries.get(id);
    if (entry && this.#entries.delete(id)) this.#bytes -= entry.record.update.length;
  }
}
