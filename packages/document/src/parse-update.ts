import { HeddleError, HeddleErrorCode, limits } from "@heddle/core/base";

import { ByteCursor, malformed } from "./byte-cursor.ts";
import type { ClientDeletes, ParsedUpdate, StructRun } from "./parsed-update.ts";
import { keyedBit, noClient, StructKind, StructReader } from "./struct-reader.ts";
import { checkNesting, typesUnchecked } from "./type-nesting.ts";

/**
 * Version of the verdict. Replicas must agree on what is malformed, so any change of what
 * {@link parseUpdate} accepts needs a new number.
 */
export const validatorVersion = 1;

/**
 * Checks an update in Yjs V1 encoding completely before anything else sees it (DOC-1). One pass, no
 * allocation by a claimed count; the verdict depends on the bytes alone. What it accepts, Yjs can
 * decode, merge and encode again.
 *
 * update = varUint(clients) • (varUint(structs) • client • clock • struct*)* • deletes
 * deletes = varUint(clients) • (client • varUint(ranges) • (clock • length)*)*
 *
 * @throws HeddleError `HEDDLE_UPDATE_TOO_LARGE` or `HEDDLE_UPDATE_MALFORMED`
 */
export function parseUpdate(bytes: Uint8Array): ParsedUpdate {
  if (bytes.length > limits.updateBytesMax) {
    throw new HeddleError(
      HeddleErrorCode.updateTooLarge,
      `update of ${bytes.length} bytes, at most ${limits.updateBytesMax} are taken`,
    );
  }
  return parseStored(bytes);
}

/** As {@link parseUpdate}, without the size limit: for merged state that heddle built and stored. */
export function parseStored(bytes: Uint8Array): ParsedUpdate {
  return new UpdateParser(bytes).parse();
}

const noRequirements: ReadonlyMap<number, number> = new Map();
const noRuns: readonly StructRun[] = [];
const noDeletes: readonly ClientDeletes[] = [];
const clientBlockBytesMin = 3;
const structBytesMin = 2;

class UpdateParser {
  readonly #bytes: Uint8Array;
  readonly #cursor: ByteCursor;
  readonly #reader: StructReader;
  // An empty array that is pushed to takes room for seventeen, and most updates have one run.
  #runs: StructRun[] | undefined;
  #deletes: ClientDeletes[] | undefined;
  #requires: Map<number, number> | undefined;
  #isPlain = true;
  #typeCount = 0;
  #hasParentIds = false;
  #hasKeys = false;
  #hasSubdocuments = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#cursor = new ByteCursor(bytes);
    this.#reader = new StructReader(this.#cursor);
  }

  parse(): ParsedUpdate {
    this.#readClients(true);
    this.#readClients(false);
    if (this.#cursor.left > 0) throw malformed("bytes behind the end");
    const update = {
      bytes: this.#bytes,
      runs: this.#runs ?? noRuns,
      deletes: this.#deletes ?? noDeletes,
      requires: this.#requires ?? noRequirements,
      isPlain: this.#isPlain,
      hasKeys: this.#hasKeys,
      hasParentIds: this.#hasParentIds,
      hasSubdocuments: this.#hasSubdocuments,
      typeCount: this.#typeCount,
    };
    if (this.#hasParentIds || this.#typeCount > typesUnchecked)
      checkNesting(update, this.#typeCount);
    return update;
  }

  /** A section: how many clients, then each of them; no client twice. */
  #readClients(areStructs: boolean): void {
    const cursor = this.#cursor;
    const clients = cursor.count(areStructs ? clientBlockBytesMin : 2);
    if (clients > limits.clientsPerUpdateMax) throw malformed("more clients than any document has");
    const order: number[] | undefined = clients > 1 ? [] : undefined;
    let previous = Number.POSITIVE_INFINITY;
    let seen: Set<number> | undefined;
    for (let index = 0; index < clients; index++) {
      if (areStructs) this.#structsLeft = cursor.count(structBytesMin);
      const client = cursor.uint();
      if (client >= previous || seen !== undefined) {
        // Yjs writes clients descending, so the set is needed for foreign writers only.
        seen ??= new Set(order);
        if (seen.has(client)) throw malformed("client twice in a section");
        seen.add(client);
        this.#isPlain = false;
      }
      order?.push(client);
      previous = client;
      if (areStructs) this.#readStructs(client);
      else this.#readDeletes(client);
    }
  }

  #structsLeft = 0;

  #readStructs(client: number): void {
    const reader = this.#reader;
    const count = this.#structsLeft;
    const firstClock = this.#cursor.uint();
    if (firstClock >= limits.clockMax) throw malformed("clock above its bound");
    reader.seek(client, firstClock, this.#cursor.offset);
    let clock = firstClock;
    let start = this.#cursor.offset;
    let structCount = 0;
    for (let index = 0; index < count; index++) {
      reader.next();
      if (reader.kind === StructKind.skip) {
        this.#endRun({
          client,
          clock,
          endClock: reader.clock,
          structCount,
          start,
          end: reader.start,
        });
        clock = reader.endClock;
        start = reader.end;
        structCount = 0;
        this.#isPlain = false;
      } else {
        structCount++;
        this.#noteReferences();
      }
    }
    if (count === 0) this.#isPlain = false;
    this.#endRun({ client, clock, endClock: reader.endClock, structCount, start, end: reader.end });
  }

  #endRun(run: StructRun): void {
    if (run.structCount === 0) return;
    if (this.#runs) this.#runs.push(run);
    else this.#runs = [run];
  }

  #noteReferences(): void {
    const reader = this.#reader;
    if (reader.kind === StructKind.type) this.#typeCount++;
    if (reader.kind === StructKind.doc) this.#hasSubdocuments = true;
    if ((reader.info & keyedBit) !== 0) this.#hasKeys = true;
    if (reader.parentClient !== noClient) {
      this.#hasParentIds = true;
      this.#require(reader.parentClient, reader.parentClock);
    }
    if (reader.originClient !== noClient) this.#require(reader.originClient, reader.originClock);
    if (reader.rightClient !== noClient) this.#require(reader.rightClient, reader.rightClock);
  }

  #require(client: number, clock: number): void {
    if (client === this.#reader.client) return;
    this.#requires ??= new Map();
    const known = this.#requires.get(client);
    if (known === undefined || known < clock) this.#requires.set(client, clock);
  }

  /** Ranges ascend without overlap, each at least 1 long; touching ones are joined. */
  #readDeletes(client: number): void {
    const cursor = this.#cursor;
    const count = cursor.count(2);
    const ranges: number[] = [];
    let end = -1;
    for (let index = 0; index < count; index++) {
      const clock = cursor.uint();
      const length = cursor.uint();
      if (length < 1) throw malformed("delete range of length 0");
      if (clock < end) throw malformed("delete ranges not ascending");
      if (clock + length > limits.clockMax) throw malformed("clock above its bound");
      if (clock === end) ranges[ranges.length - 1] = clock + length;
      else ranges.push(clock, clock + length);
      end = clock + length;
    }
    if (count === 0) this.#isPlain = false;
    else if (this.#deletes) this.#deletes.push({ client, ranges });
    else this.#deletes = [{ client, ranges }];
  }
}
