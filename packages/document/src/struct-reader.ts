import { limits } from "@heddle/core/base";

import { anyObject, skipAny, skipKey, skipText } from "./any-value.ts";
import { type ByteCursor, malformed } from "./byte-cursor.ts";
import { skipJson } from "./json-text.ts";

/** The low five bits of a struct's info byte. Yjs 13.6 fails on any other value. */
export const StructKind = {
  gc: 0,
  deleted: 1,
  json: 2,
  binary: 3,
  string: 4,
  embed: 5,
  format: 6,
  type: 7,
  any: 8,
  doc: 9,
  skip: 10,
} as const;

const kindBits = 0x1f;
export const originBit = 0x80;
export const rightOriginBit = 0x40;
/** The struct is the value of a key of its parent (map entry, attribute). */
export const keyedBit = 0x20;

/** Stands for "no client" where an id is absent. */
export const noClient = -1;

/**
 * Reads the structs of one client one after the other, checks each byte of them, and keeps where the
 * parts of the current one lie. One object is moved along instead of one object per struct.
 *
 * struct = info • [origin id] • [right origin id] • [parent • [key]] • content, or info • varUint(length)
 * for GC and Skip; the parent is written only when both origins are absent.
 */
export class StructReader {
  readonly cursor: ByteCursor;
  client = noClient;
  info = 0;
  kind = 0;
  /** Id of the first unit, and how many units the struct covers. */
  clock = 0;
  length = 0;
  start = 0;
  contentStart = 0;
  originClient = noClient;
  originClock = 0;
  rightClient = noClient;
  rightClock = 0;
  /** The parent, when it is written and is an id; a parent by name leaves `noClient`. */
  parentClient = noClient;
  parentClock = 0;

  constructor(cursor: ByteCursor) {
    this.cursor = cursor;
  }

  get end(): number {
    return this.cursor.offset;
  }

  get endClock(): number {
    return this.clock + this.length;
  }

  /** Moves in front of the struct of `client` that starts at `offset` with `clock`. */
  seek(client: number, clock: number, offset: number): void {
    this.client = client;
    this.clock = clock;
    this.length = 0;
    this.cursor.offset = offset;
  }

  /** Reads the next struct. @throws HeddleError `HEDDLE_UPDATE_MALFORMED` */
  next(): void {
    const cursor = this.cursor;
    this.clock += this.length;
    this.start = cursor.offset;
    const info = cursor.byte();
    this.info = info;
    this.kind = info & kindBits;
    this.originClient = noClient;
    this.rightClient = noClient;
    this.parentClient = noClient;
    if (this.kind === StructKind.gc || this.kind === StructKind.skip) {
      // Yjs ignores the upper bits in one reader and fails on them in the other.
      if (info !== this.kind) throw malformed("flags on a struct without content");
      this.contentStart = cursor.offset;
      this.length = cursor.uint();
    } else {
      this.#readReferences(info);
      this.contentStart = cursor.offset;
      this.length = this.#readContent();
    }
    if (this.length < 1) throw malformed("struct of length 0");
    if (this.clock + this.length > limits.clockMax) throw malformed("clock above its bound");
  }

  #readReferences(info: number): void {
    const cursor = this.cursor;
    if ((info & originBit) !== 0) {
      this.originClient = cursor.uint();
      this.originClock = this.#referenceClock(this.originClient);
    }
    if ((info & rightOriginBit) !== 0) {
      this.rightClient = cursor.uint();
      this.rightClock = this.#referenceClock(this.rightClient);
    }
    if ((info & (originBit | rightOriginBit)) !== 0) return;
    const parentByName = cursor.uint();
    if (parentByName === 1) skipKey(cursor);
    else if (parentByName === 0) {
      this.parentClient = cursor.uint();
      this.parentClock = this.#referenceClock(this.parentClient);
    } else throw malformed("unknown kind of parent");
    if ((info & keyedBit) !== 0) skipKey(cursor);
  }

  /** A struct may only refer to what its own client wrote before it; to other clients, to anything. */
  #referenceClock(client: number): number {
    const clock = this.cursor.uint();
    if (client === this.client ? clock >= this.clock : clock >= limits.clockMax) {
      throw malformed("reference to the future");
    }
    return clock;
  }

  /** Steps over the content and returns its length in clock units. */
  #readContent(): number {
    const cursor = this.cursor;
    switch (this.kind) {
      case StructKind.deleted:
        return cursor.uint();
      case StructKind.string:
        return skipText(cursor);
      case StructKind.any:
      case StructKind.json:
        return this.#readElements();
      case StructKind.format:
        skipKey(cursor);
        skipJson(cursor, false);
        return 1;
      case StructKind.embed:
        skipJson(cursor, false);
        return 1;
      case StructKind.type:
        this.#readType();
        return 1;
      case StructKind.binary:
        cursor.skip(cursor.uint());
        return 1;
      case StructKind.doc:
        // Subdocuments are honest content. Yjs spreads the options, so anything but an object fails.
        skipText(cursor);
        if (cursor.bytes[cursor.offset] !== anyObject) throw malformed("options are no object");
        skipAny(cursor);
        return 1;
      default:
        throw malformed("unknown kind of content");
    }
  }

  #readElements(): number {
    const count = this.cursor.count(1);
    for (let index = 0; index < count; index++) this.skipElement();
    return count;
  }

  /** Steps over one element of JSON or Any content. */
  skipElement(): void {
    if (this.kind === StructKind.any) skipAny(this.cursor);
    else skipJson(this.cursor, true);
  }

  /** Array 0, Map 1, Text 2, XmlElement 3, XmlFragment 4, XmlHook 5, XmlText 6; 3 and 5 are named. */
  #readType(): void {
    const type = this.cursor.uint();
    if (type > 6) throw malformed("unknown type of shared value");
    if (type === 3 || type === 5) skipText(this.cursor);
  }
}
