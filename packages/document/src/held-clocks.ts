import type { DocumentKnowledge } from "./document-knowledge.ts";
import type { KnownClocks } from "./known-clocks.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { parseStored } from "./parse-update.ts";
import { cutBefore, pieceOf, type StructPiece } from "./struct-piece.ts";
import { decodeStateVector, encodeStateVector } from "./state-vector.ts";
import { comparePieces, encodeUpdate } from "./update-writer.ts";

/**
 * Structs that the log holds and the document does not: those of recalled envelopes, and those that
 * depend on them. Clients that saw them before the recall send them again with everything else, in all
 * honesty; they are dropped then, because the log has them.
 */
export class HeldClocks {
  /** For each client: everything from its known clock up to here lies in the log, held aside. */
  readonly #ends = new Map<number, number>();

  get isEmpty(): boolean {
    return this.#ends.size === 0;
  }

  /** Clients whose structs are held. */
  get clientCount(): number {
    return this.#ends.size;
  }

  hold(update: ParsedUpdate): void {
    for (const { client, endClock } of update.runs) {
      if (endClock > (this.#ends.get(client) ?? 0)) this.#ends.set(client, endClock);
    }
  }

  /** Takes up what {@link encodeEnds} wrote. */
  restore(ends: Uint8Array): void {
    for (const [client, end] of decodeStateVector(ends)) {
      if (end > (this.#ends.get(client) ?? 0)) this.#ends.set(client, end);
    }
  }

  /** Where what is held ends, for each client: a Yjs V1 state vector. */
  encodeEnds(): Uint8Array {
    return encodeStateVector(this.#ends);
  }

  /** The update without the structs that are held; the same object when it has none. */
  without(knowledge: DocumentKnowledge, update: ParsedUpdate): ParsedUpdate {
    if (!update.runs.some((run) => this.#isHeld(knowledge, run.client, run.endClock)))
      return update;
    const pieces: StructPiece[] = [];
    for (const run of update.runs) {
      const piece = pieceOf(update, run);
      const end = this.#ends.get(run.client) ?? 0;
      const isHeld = this.#isHeld(knowledge, run.client, run.endClock);
      const rest = isHeld ? cutBefore(piece, end) : piece;
      if (rest !== undefined) pieces.push(rest);
    }
    const deletes = update.deletes.toSorted((a, b) => b.client - a.client);
    return parseStored(encodeUpdate(pieces.toSorted(comparePieces), deletes));
  }

  /** Whether the update waits for something that is held: it will not come, unless it is released. */
  holdsBack(knowledge: KnownClocks, { runs, requires, deletes }: ParsedUpdate): boolean {
    const isNeeded = (client: number, clock: number): boolean => {
      return clock >= knowledge.clockOf(client) && clock < (this.#ends.get(client) ?? 0);
    };
    return (
      // What follows on held structs of its own client, or is one of them.
      runs.some(({ client }) => isNeeded(client, knowledge.clockOf(client))) ||
      [...requires].some(([client, clock]) => isNeeded(client, clock)) ||
      deletes.some(({ client }) => isNeeded(client, knowledge.clockOf(client)))
    );
  }

  /** State vector of everything in the log: what a peer need not send. */
  encodeStateVector(knowledge: DocumentKnowledge): Uint8Array {
    const clocks = new Map(knowledge.clocks);
    for (const [client, end] of this.#ends) {
      if (end > (clocks.get(client) ?? 0)) clocks.set(client, end);
    }
    return encodeStateVector(clocks);
  }

  #isHeld(knowledge: DocumentKnowledge, client: number, endClock: number): boolean {
    const end = this.#ends.get(client);
    const known = knowledge.clockOf(client);
    return end !== undefined && end > known && endClock > known;
  }
}
