import { equalBytes } from "@heddle/core/base";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8 } from "lib0/string";

import type { ParsedUpdate, StructRun } from "./parsed-update.ts";
import { pieceOf, readerOf } from "./struct-piece.ts";
import { noClient, StructKind, type StructReader } from "./struct-reader.ts";

/**
 * One run of an update, to be compared with runs of the same Yjs client in other updates. Keeps its place
 * in the bytes: a long run is compared with many short ones behind each other in one pass.
 */
export class ComparedRun {
  readonly run: StructRun;
  readonly #update: ParsedUpdate;
  #reader: StructReader;

  constructor(update: ParsedUpdate, run: StructRun) {
    this.run = run;
    this.#update = update;
    this.#reader = readerOf(pieceOf(update, run));
  }

  /**
   * Whether the two hold different operations at one clock, of which Yjs keeps whichever it sees first. The
   * same operations are not in conflict however they are split, dropped as deleted, or written by another
   * program: those who send on what others wrote do all of that.
   */
  isInConflictWith(other: ComparedRun): boolean {
    if (this.run.client !== other.run.client) return false;
    const end = Math.min(this.run.endClock, other.run.endClock);
    let clock = Math.max(this.run.clock, other.run.clock);
    while (clock < end) {
      const [a, b] = [this.#at(clock), other.#at(clock)];
      const upTo = Math.min(a.endClock, b.endClock, end);
      if (structsDiffer(a, b, clock, upTo)) return true;
      clock = upTo;
    }
    return false;
  }

  /** In the struct that holds `clock`. */
  #at(clock: number): StructReader {
    if (clock < this.#reader.clock) this.#reader = readerOf(pieceOf(this.#update, this.run));
    while (this.#reader.endClock <= clock) this.#reader.next();
    return this.#reader;
  }
}

function structsDiffer(a: StructReader, b: StructReader, from: number, to: number): boolean {
  // What was deleted may be gone on one side: nothing is left to compare.
  if (isGone(a) || isGone(b)) return false;
  return a.kind !== b.kind || placesDiffer(a, b, from) || contentsDiffer(a, b, from, to);
}

function isGone({ kind }: StructReader): boolean {
  return kind === StructKind.gc || kind === StructKind.deleted;
}

function placesDiffer(a: StructReader, b: StructReader, from: number): boolean {
  if (a.rightClient !== b.rightClient) return true;
  if (a.rightClient !== noClient && a.rightClock !== b.rightClock) return true;
  const [ofA, ofB] = [originOf(a, from), originOf(b, from)];
  if (ofA.client !== ofB.client || ofA.clock !== ofB.clock) return true;
  const hasParents = ofA.client === noClient && a.rightClient === noClient;
  if (!hasParents) return false;
  // Behind the info byte stand the parent, and the key.
  return !equalBytes(
    bytesOf(a, a.start + 1, a.contentStart),
    bytesOf(b, b.start + 1, b.contentStart),
  );
}

/** What stands in front of a unit that is not the first of its struct is the unit before it. */
function originOf(reader: StructReader, from: number): { client: number; clock: number } {
  if (from > reader.clock) return { client: reader.client, clock: from - 1 };
  const { originClient: client, originClock } = reader;
  return { client, clock: client === noClient ? 0 : originClock };
}

function contentsDiffer(a: StructReader, b: StructReader, from: number, to: number): boolean {
  const isWhole = a.clock === b.clock && a.endClock === b.endClock;
  const [ofA, ofB] = [a, b].map((reader) => bytesOf(reader, reader.contentStart, reader.end));
  if (isWhole && equalBytes(ofA!, ofB!)) return false;
  if (a.kind === StructKind.string) return textsDiffer(textOf(a, from, to), textOf(b, from, to));
  const [unitsOfA, unitsOfB] = [unitsOf(a, from, to), unitsOf(b, from, to)];
  return unitsOfA.some((unit, index) => unit !== unitsOfB[index]);
}

function textOf(reader: StructReader, from: number, to: number): string {
  const decoder = contentDecoder(reader);
  const text = decodeUtf8(decoding.readVarUint8Array(decoder));
  return text.slice(from - reader.clock, to - reader.clock);
}

/** What Yjs puts in place of half a character, where it splits one (protocol.md A3.6). */
const replacement = "\ufffd";

function textsDiffer(a: string, b: string): boolean {
  if (a === b) return false;
  for (let index = 0; index < a.length; index++) {
    const [ofA, ofB] = [a[index], b[index]];
    if (ofA !== ofB && ofA !== replacement && ofB !== replacement) return true;
  }
  return false;
}

/** Each unit in a form that does not depend on the program that wrote it. */
function unitsOf(reader: StructReader, from: number, to: number): string[] {
  const decoder = contentDecoder(reader);
  const readJson = (): string => canonicalJson(decoding.readVarString(decoder));
  const readElements = (read: () => string): string[] => {
    const units = Array.from({ length: decoding.readVarUint(decoder) }, read);
    return units.slice(from - reader.clock, to - reader.clock);
  };
  switch (reader.kind) {
    case StructKind.any:
      return readElements(() => canonicalAny(decoding.readAny(decoder)));
    case StructKind.json:
      return readElements(readJson);
    case StructKind.embed:
      return [readJson()];
    case StructKind.format:
      return [`${decoding.readVarString(decoder)} ${readJson()}`];
    case StructKind.doc:
      // Its options are put together anew by whoever sends it on.
      return [decoding.readVarString(decoder)];
    default:
      return [bytesOf(reader, reader.contentStart, reader.end).join(" ")];
  }
}

function contentDecoder(reader: StructReader): decoding.Decoder {
  return decoding.createDecoder(bytesOf(reader, reader.contentStart, reader.end));
}

/** Yjs writes what is not JSON, `undefined`, as that word. */
function canonicalJson(text: string): string {
  return text === "undefined" ? text : JSON.stringify(JSON.parse(text));
}

function canonicalAny(value: unknown): string {
  const encoder = encoding.createEncoder();
  encoding.writeAny(encoder, value as Parameters<typeof encoding.writeAny>[1]);
  return encoding.toUint8Array(encoder).join(" ");
}

function bytesOf({ cursor }: StructReader, start: number, end: number): Uint8Array {
  return cursor.bytes.subarray(start, end);
}
