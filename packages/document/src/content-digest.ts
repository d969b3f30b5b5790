import type { Hash } from "@heddle/core";
import type * as Yjs from "yjs";

/**
 * Digest C: 32 bytes over the content of a document, by which replicas that hold the same operations
 * are told apart when what those operations hold differs. Equal whether or not deleted content was
 * dropped, however structs are split, and whatever root types were asked for and left empty.
 */
export function digestContent(hash: Hash, doc: Yjs.Doc): Uint8Array {
  return hash.sha256(contentBytes(doc));
}

/**
 * What digest C is taken of.
 *
 * content := domain • client* • root*
 * client  := id • run* • 0 • 0, ascending. A deleted run is its length; a live one says kind, length,
 *            origin, right origin, parent, key and content. What differs only by a split is one run.
 * root    := name • type*, by name. Types in document order: the ids of what is live in them, in
 *            order; keys sorted. Origins of what is gone cannot be compared any more, places can.
 */
export function contentBytes(doc: Yjs.Doc): Uint8Array {
  const sink = newSink(doc);
  writeText(sink, "heddle/content/1");
  for (const [client, structs] of [...doc.store.clients].toSorted(([a], [b]) => a - b)) {
    writeUint(sink, client);
    writeClient(sink, structs);
    writeUint(sink, 0);
    writeUint(sink, 0);
  }
  for (const [name, root] of [...doc.share].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    writeRoot(sink, name, root);
  }
  return sink.bytes.subarray(0, sink.length);
}

// Worker threads run the functions from here on from their text: none may use anything from outside
// of this file but types.

// oxlint-disable-next-line typescript/no-explicit-any -- as Yjs declares its own tables of types
type AnyType = Yjs.AbstractType<any>;

interface Sink {
  bytes: Uint8Array;
  length: number;
  readonly rootNames: ReadonlyMap<AnyType, string>;
}

/** As Yjs numbers contents; the others are not runs of anything. */
const kinds = { json: 2, binary: 3, string: 4, embed: 5, format: 6, type: 7, any: 8, doc: 9 };

function newSink(doc: Yjs.Doc): Sink {
  const rootNames = new Map<AnyType, string>();
  for (const [name, type] of doc.share) rootNames.set(type, name);
  return { bytes: new Uint8Array(64 * 1024), length: 0, rootNames };
}

function reserveRoom(sink: Sink, more: number): void {
  if (sink.length + more <= sink.bytes.length) return;
  const grown = new Uint8Array(Math.max(sink.length + more, sink.bytes.length * 2));
  grown.set(sink.bytes.subarray(0, sink.length));
  sink.bytes = grown;
}

function writeUint(sink: Sink, value: number): void {
  reserveRoom(sink, 8);
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) sink.bytes[sink.length++] = 128 | (rest % 128);
  sink.bytes[sink.length++] = rest;
}

function writeRaw(sink: Sink, value: Uint8Array): void {
  writeUint(sink, value.length);
  reserveRoom(sink, value.length);
  sink.bytes.set(value, sink.length);
  sink.length += value.length;
}

/** Length in UTF-16 units, then UTF-8; half of a surrogate pair is written as Yjs would, as U+FFFD. */
function writeText(sink: Sink, value: string): void {
  writeUint(sink, value.length);
  reserveRoom(sink, value.length * 3);
  const { bytes } = sink;
  let { length } = sink;
  for (let index = 0; index < value.length; index++) {
    let point = value.codePointAt(index)!;
    if (point < 0x80) {
      bytes[length++] = point;
      continue;
    }
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x800) bytes[length++] = 0xc0 | (point >> 6);
    else {
      if (point < 0x1_0000) bytes[length++] = 0xe0 | (point >> 12);
      else {
        index++;
        bytes[length++] = 0xf0 | (point >> 18);
        bytes[length++] = 0x80 | ((point >> 12) & 0x3f);
      }
      bytes[length++] = 0x80 | ((point >> 6) & 0x3f);
    }
    bytes[length++] = 0x80 | (point & 0x3f);
  }
  sink.length = length;
}

function writeId(sink: Sink, id: Yjs.ID | null): void {
  writeUint(sink, id === null ? 0 : 1);
  if (id === null) return;
  writeUint(sink, id.client);
  writeUint(sink, id.clock);
}

/** Whatever a client can put into a document; keys of objects sorted, numbers by their bits. */
function writeAny(sink: Sink, value: unknown): void {
  if (value === undefined) writeUint(sink, 0);
  else if (value === null) writeUint(sink, 1);
  else if (typeof value === "boolean") writeUint(sink, value ? 2 : 3);
  else if (typeof value === "number") {
    writeUint(sink, 4);
    reserveRoom(sink, 8);
    new DataView(sink.bytes.buffer).setFloat64(sink.length, value);
    sink.length += 8;
  } else if (typeof value === "bigint") {
    writeUint(sink, 5);
    writeText(sink, value.toString());
  } else if (typeof value === "string") {
    writeUint(sink, 6);
    writeText(sink, value);
  } else if (value instanceof Uint8Array) {
    writeUint(sink, 7);
    writeRaw(sink, value);
  } else if (Array.isArray(value)) {
    writeUint(sink, 8);
    writeUint(sink, value.length);
    for (const element of value) writeAny(sink, element);
  } else writeObject(sink, value as object);
}

function writeObject(sink: Sink, value: object): void {
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeUint(sink, 9);
  writeUint(sink, entries.length);
  for (const [key, inner] of entries) {
    writeText(sink, key);
    writeAny(sink, inner);
  }
}

function writeParent(sink: Sink, type: AnyType): void {
  // oxlint-disable-next-line eslint/no-underscore-dangle -- there is no public way up from a type
  const item = type._item;
  writeId(sink, item === null ? null : item.id);
  if (item === null) writeText(sink, sink.rootNames.get(type) ?? "");
}

/** The contents of a run, which are of one kind. */
function writeContents(sink: Sink, run: readonly Yjs.Item[], kind: number): void {
  const all = run.map(({ content }) => content);
  if (kind === kinds.string) {
    writeText(sink, (all as Yjs.ContentString[]).map(({ str }) => str).join(""));
  } else if (kind === kinds.any || kind === kinds.json) {
    for (const { arr } of all as Yjs.ContentAny[]) for (const one of arr) writeAny(sink, one);
  } else if (kind === kinds.binary) writeRaw(sink, (all[0] as Yjs.ContentBinary).content);
  else if (kind === kinds.embed) writeAny(sink, (all[0] as Yjs.ContentEmbed).embed);
  else if (kind === kinds.format) {
    const { key, value } = all[0] as Yjs.ContentFormat;
    writeText(sink, key);
    writeAny(sink, value);
  } else if (kind === kinds.type) {
    const into = {
      writeTypeRef: (ref: number) => writeUint(sink, ref),
      writeKey: (key: string) => writeText(sink, key),
    };
    // oxlint-disable-next-line eslint/no-underscore-dangle -- what Yjs writes is what tells types apart
    (all[0] as Yjs.ContentType).type._write(into as unknown as Yjs.UpdateEncoderV1);
  } else if (kind === kinds.doc) {
    const { doc, opts } = all[0] as Yjs.ContentDoc;
    writeText(sink, doc.guid);
    writeAny(sink, opts);
  }
}

function writeLiveRun(sink: Sink, run: readonly Yjs.Item[]): void {
  const first = run[0]!;
  const kind = first.content.getRef();
  writeUint(sink, kind);
  writeUint(
    sink,
    run.reduce((sum, item) => sum + item.length, 0),
  );
  writeId(sink, first.origin);
  writeId(sink, first.rightOrigin);
  writeParent(sink, first.parent as AnyType);
  writeAny(sink, first.parentSub);
  writeContents(sink, run, kind);
}

function isSameId(a: Yjs.ID | null, b: Yjs.ID | null): boolean {
  return a === b || (a !== null && b !== null && a.client === b.client && a.clock === b.clock);
}

/** Whether `right` is what a split of `left` would have made of its end. */
function isSplitOf(left: Yjs.Item, right: Yjs.Item): boolean {
  const kind = left.content.getRef();
  return (
    (kind === kinds.string || kind === kinds.any || kind === kinds.json) &&
    right.content.getRef() === kind &&
    isSameId(right.origin, left.lastId) &&
    isSameId(right.rightOrigin, left.rightOrigin)
  );
}

function writeClient(sink: Sink, structs: readonly (Yjs.Item | Yjs.GC)[]): void {
  let deleted = 0;
  let run: Yjs.Item[] = [];
  const endRuns = (): void => {
    if (deleted > 0) {
      writeUint(sink, 0);
      writeUint(sink, deleted);
    }
    if (run.length > 0) writeLiveRun(sink, run);
    deleted = 0;
    run = [];
  };
  for (const struct of structs) {
    if (struct.deleted || !("content" in struct)) {
      if (run.length > 0) endRuns();
      deleted += struct.length;
    } else {
      if (deleted > 0 || (run.length > 0 && !isSplitOf(run.at(-1)!, struct))) endRuns();
      run.push(struct);
    }
  }
  endRuns();
}

function writeRoot(sink: Sink, name: string, root: AnyType): void {
  const start = sink.length;
  writeText(sink, name);
  const named = sink.length;
  const stack = writeType(sink, root).toReversed();
  // Who asked for a root that is empty says nothing about the document.
  if (sink.length === named) sink.length = start;
  for (let type = stack.pop(); type !== undefined; type = stack.pop()) {
    writeParent(sink, type);
    stack.push(...writeType(sink, type).toReversed());
  }
}

/** Writes the live ids of one type and returns the types in it, in order. */
function writeType(sink: Sink, type: AnyType): AnyType[] {
  const inner: AnyType[] = [];
  let client = -1;
  let clock = 0;
  let end = 0;
  const endRun = (): void => {
    if (client >= 0) for (const part of [client, clock, end - clock]) writeUint(sink, part);
  };
  const note = ({ content }: Yjs.Item): void => {
    if (content.getRef() === kinds.type) inner.push((content as Yjs.ContentType).type);
  };
  // oxlint-disable-next-line eslint/no-underscore-dangle -- the public face hides the order of ids
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue;
    note(item);
    if (item.id.client !== client || item.id.clock !== end) {
      endRun();
      ({ client, clock } = item.id);
    }
    end = item.id.clock + item.length;
  }
  endRun();
  // oxlint-disable-next-line eslint/no-underscore-dangle -- the last value of each key
  for (const [key, item] of [...type._map].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (item.deleted) continue;
    writeText(sink, key);
    writeId(sink, item.lastId);
    note(item);
  }
  return inner;
}

/** The text of `contentBytes` and all it needs, for a worker thread. */
export const contentProgram = `const kinds = ${JSON.stringify(kinds)};
${[
  contentBytes,
  newSink,
  reserveRoom,
  writeUint,
  writeRaw,
  writeText,
  writeId,
  writeAny,
  writeObject,
  writeParent,
  writeContents,
  writeLiveRun,
  isSameId,
  isSplitOf,
  writeClient,
  writeRoot,
  writeType,
]
  .map(String)
  .join("\n")}`;
