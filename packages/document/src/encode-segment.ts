import { concatBytes, limits } from "@heddle/core/base";
import * as encoding from "lib0/encoding";
import * as Y from "yjs";

import { ByteWriter } from "./byte-writer.ts";
import { writeDeletes } from "./delete-set.ts";
import type { EditRange, EditSegment } from "./edit-segment.ts";
import type { ClientDeletes } from "./parsed-update.ts";

type Struct = Y.Item | Y.GC;
type Ranges = ReadonlyMap<number, EditRange>;

/**
 * What a segment is sealed as: V1 updates with its structs, as the live document has them now, and the
 * deletes of its transactions. That is much smaller than the merged updates of the transactions would
 * be, because Yjs has joined by now what was typed in a row, and dropped what was typed and deleted.
 *
 * Usually one; none when the log knows all of it by now; several where one would be over the size limit
 * and the structs are of one client.
 *
 * @param known for each client the clock below which the log has everything.
 */
export function encodeSegment(
  doc: Y.Doc,
  segment: EditSegment,
  known: ReadonlyMap<number, number>,
): Uint8Array[] {
  const ranges = new Map<number, EditRange>();
  for (const [client, { from, to }] of segment.ranges) {
    const start = Math.max(from, known.get(client) ?? 0);
    if (start < to) ranges.set(client, { from: start, to });
  }
  const deletes = segment.deletes.entries();
  if (ranges.size === 0 && deletes.length === 0) return [];
  return encodeWithin(doc, ranges, deletes, limits.updateBytesMax);
}

/** Halves what is too long, as long as it can be halved. Causes stay in front of their effects. */
export function encodeWithin(
  doc: Y.Doc,
  ranges: Ranges,
  deletes: readonly ClientDeletes[],
  bytesMax: number,
): Uint8Array[] {
  const update = encodeRanges(doc, ranges, deletes);
  if (update.length <= bytesMax || ranges.size !== 1) return [update];
  const [client, { from, to }] = [...ranges][0]!;
  const middle = middleOf(structsOf(doc, client), from, to);
  if (middle === undefined) return [update];
  return [
    ...encodeWithin(doc, new Map([[client, { from, to: middle }]]), [], bytesMax),
    ...encodeWithin(doc, new Map([[client, { from: middle, to }]]), deletes, bytesMax),
  ];
}

/** A clock about halfway where a struct may be cut; `undefined` when there is none. */
function middleOf(structs: readonly Struct[], from: number, to: number): number | undefined {
  const middle = from + Math.floor((to - from) / 2);
  const struct = structs[Y.findIndexSS(structs as Struct[], middle)]!;
  const offset = middle - struct.id.clock;
  const content = struct instanceof Y.Item ? struct.content : undefined;
  const isPair = content instanceof Y.ContentString && isLowSurrogate(content.str, offset);
  const cut = isPair ? middle + 1 : middle;
  return cut > from && cut < to ? cut : undefined;
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function structsOf(doc: Y.Doc, client: number): readonly Struct[] {
  return doc.store.clients.get(client) ?? [];
}

function encodeRanges(doc: Y.Doc, ranges: Ranges, deletes: readonly ClientDeletes[]): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  encoding.writeVarUint(encoder.restEncoder, ranges.size);
  for (const [client, range] of [...ranges].toSorted(([a], [b]) => b - a)) {
    writeRange(encoder, structsOf(doc, client), client, range);
  }
  const writer = new ByteWriter(64);
  writeDeletes(writer, deletes);
  return concatBytes([encoding.toUint8Array(encoder.restEncoder), writer.finish()]);
}

function writeRange(
  encoder: Y.UpdateEncoderV1,
  structs: readonly Struct[],
  client: number,
  { from, to }: EditRange,
): void {
  const first = Y.findIndexSS(structs as Struct[], from);
  const last = Y.findIndexSS(structs as Struct[], to - 1);
  encoding.writeVarUint(encoder.restEncoder, last - first + 1);
  encoder.writeClient(client);
  encoding.writeVarUint(encoder.restEncoder, from);
  for (let index = first; index <= last; index++) {
    const struct = structs[index]!;
    const offset = Math.max(0, from - struct.id.clock);
    const end = to - struct.id.clock;
    const part = end < struct.length ? beginOf(struct, end) : struct;
    part.write(encoder, offset);
  }
}

/** The first `length` units of a struct, as Yjs would split it. The document is left as it is. */
function beginOf(struct: Struct, length: number): Struct {
  if (!(struct instanceof Y.Item)) return new Y.GC(struct.id, length);
  const { id, origin, rightOrigin, parent, parentSub } = struct;
  const content = struct.content.copy();
  content.splice(length);
  return new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, content);
}
