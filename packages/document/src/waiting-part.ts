import type { DocumentKnowledge } from "./document-knowledge.ts";
import { parseStored } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import type { StructPiece } from "./struct-piece.ts";
import { comparePieces, encodeUpdate } from "./update-writer.ts";

/** How much may be looked at before the event loop gets its turn. */
export class WorkBudget {
  /** One unit is about as long as one small struct takes to read, copy and check: 0.1 to 0.2 µs. */
  left: number;

  constructor(units: number) {
    this.left = units;
  }

  get isSpent(): boolean {
    return this.left <= 0;
  }

  spend(units: number): void {
    this.left -= units;
  }

  /** `bytes` that were read or copied without being taken apart. */
  spendBytes(bytes: number): void {
    this.left -= bytes / bytesPerUnit;
  }
}

const bytesPerUnit = 64;

/** What is freed of one waiting update: grows struct by struct, and reaches beyond what is known. */
export class WaitingPart {
  readonly budget: WorkBudget;
  readonly #knowledge: DocumentKnowledge;
  readonly #reached = new Map<number, number>();
  readonly #pieces = new Map<number, StructPiece>();
  readonly #deletes = new Map<number, number[]>();

  constructor(knowledge: DocumentKnowledge, budget: WorkBudget) {
    this.#knowledge = knowledge;
    this.budget = budget;
  }

  get isEmpty(): boolean {
    return this.#pieces.size === 0 && this.#deletes.size === 0;
  }

  /** All structs of `client` below are known, or in this part. */
  clockOf(client: number): number {
    return this.#reached.get(client) ?? this.#knowledge.clockOf(client);
  }

  /** Takes in structs; a second piece of a client begins, in the same bytes, where the first ended. */
  addPiece(piece: StructPiece): void {
    const before = this.#pieces.get(piece.client);
    const joined = before && {
      ...before,
      endClock: piece.endClock,
      end: piece.end,
      structCount: before.structCount + piece.structCount,
    };
    this.#pieces.set(piece.client, joined ?? piece);
    this.#reached.set(piece.client, piece.endClock);
  }

  /** Takes in what is new of deleted clocks whose structs are there; ranges ascend. */
  addDeletes(client: number, clock: number, endClock: number): void {
    const fresh = this.#deletes.get(client) ?? [];
    const known = this.#knowledge.deletes.rangesOf(client);
    const before = fresh.length;
    if (known === undefined) fresh.push(clock, endClock);
    else known.missingFrom(clock, endClock, fresh);
    this.budget.spend(1 + fresh.length - before);
    if (fresh.length > 0) this.#deletes.set(client, fresh);
  }

  encode(): ParsedUpdate {
    const pieces = [...this.#pieces.values()].toSorted(comparePieces);
    const deletes = Array.from(this.#deletes, ([client, ranges]) => ({ client, ranges }));
    deletes.sort((a, b) => b.client - a.client);
    return parseStored(encodeUpdate(pieces, deletes));
  }
}
