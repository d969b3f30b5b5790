import { ClientFold } from "./client-fold.ts";
import { KeyedClocks } from "./keyed-clocks.ts";
import { DeleteSet } from "./delete-set.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { decodeStateVector, encodeStateVector } from "./state-vector.ts";
import { pieceOf, type StructPiece } from "./struct-piece.ts";
import { encodeUpdate } from "./update-writer.ts";

/**
 * The content of a document as the sum of its log, without a Yjs document: answers a state vector as
 * a loaded document would (DOC-5) and takes about the memory of the content. Deleted content is kept,
 * as the log keeps it.
 *
 * Structs of a client that arrive ahead of a gap are kept and take their place when it is filled.
 */
export class UpdateFold {
  readonly #clients = new Map<number, ClientFold>();
  readonly #deletes = new DeleteSet();
  readonly #keyed = new KeyedClocks((client) => this.#clients.get(client)?.clock ?? 0);

  /** Bytes of all structs held; deletes and bookkeeping not counted. */
  get byteLength(): number {
    let length = 0;
    for (const client of this.#clients.values()) length += client.byteLength;
    return length;
  }

  append(update: ParsedUpdate): void {
    this.#keyed.note(update);
    for (const run of update.runs) {
      let client = this.#clients.get(run.client);
      if (client === undefined)
        this.#clients.set(run.client, (client = new ClientFold(run.client)));
      client.append(pieceOf(update, run), this.#keyed);
    }
    for (const deletes of update.deletes) this.#deletes.add(deletes);
  }

  /** Yjs V1 state vector; stops at the first gap of each client. */
  encodeStateVector(): Uint8Array {
    const clocks: [number, number][] = [];
    for (const { client, clock } of this.#clients.values())
      if (clock > 0) clocks.push([client, clock]);
    return encodeStateVector(clocks);
  }

  /**
   * A V1 update with everything that a document at `stateVector` lacks, and with all deletes, because
   * a state vector says nothing about those. Without a vector: everything.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the vector cannot be read.
   */
  encodeSince(stateVector?: Uint8Array): Uint8Array {
    const known = stateVector === undefined ? undefined : decodeStateVector(stateVector);
    const pieces: StructPiece[] = [];
    const clients = Array.from(this.#clients.values()).toSorted((a, b) => b.client - a.client);
    for (const client of clients) {
      for (const piece of client.piecesSince(known?.get(client.client) ?? 0)) pieces.push(piece);
    }
    return encodeUpdate(pieces, this.#deletes.entries());
  }
}
