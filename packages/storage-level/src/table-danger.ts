import { assert } from "@heddle/core";

import { compareInternalKeys, internalTrailerBytes, trailerOf } from "./internal-key.ts";
import { contentOf, entriesFrom, entryAt, restartsIn, type BlockEntry } from "./block-entries.ts";
import type { TableBounds } from "./level-manifest.ts";
import { blockAt, faultIn, handlesIn, readFooter, type Handle } from "./level-table-format.ts";

/**
 * What LevelDB, which looks at no checksum when it reads, would make of a damaged table.
 *
 * - `unreadable`: it answers reads of the damaged place with an error, or with a record that fails its
 *   own checksum. Whoever needs that place is told; everybody else is served.
 * - `dangerous`: it would end the process by an assertion, or leave out records without a word.
 */
export type TableDanger = "unreadable" | "dangerous";

export interface TableExpectation extends TableBounds {
  /** No entry has a higher one. */
  readonly lastSequence: number;
}

/** `undefined` for a table that is whole: every block was written so. */
export function dangerIn(file: Uint8Array, expected: TableExpectation): TableDanger | undefined {
  let footer;
  try {
    footer = readFooter(file);
  } catch {
    // Without its magic number or its size LevelDB opens no table, and says so at each read.
    return "unreadable";
  }
  const { metaindex, index } = footer;
  // Where blocks begin and what the filter rules out is believed as it is: a bit of it, and keys that
  // are there are not found, or anything at all is read as a block.
  if (isDamaged(file, index) || isDamaged(file, metaindex)) return "dangerous";
  if (handlesIn(blockAt(file, metaindex, "metaindex")).some((block) => isDamaged(file, block))) {
    return "dangerous";
  }
  let danger: TableDanger | undefined;
  let after = expected.smallest;
  let isFirst = true;
  for (const { handle, key } of indexOf(blockAt(file, index, "index"))) {
    if (isDamaged(file, handle)) {
      const bounds = { after, isFirst, last: lowerOf(key, expected.largest) };
      if (!isSound(file, handle, bounds, expected.lastSequence)) return "dangerous";
      danger = "unreadable";
    }
    after = key;
    isFirst = false;
  }
  return danger;
}

function isDamaged(file: Uint8Array, handle: Handle): boolean {
  return faultIn(file, handle).length > 0;
}

function* indexOf(block: Uint8Array): Iterable<{ handle: Handle; key: Uint8Array }> {
  const handles = handlesIn(block);
  const keys = [...entriesFrom(block, 0, restartsIn(block)?.end ?? 0)];
  for (const [position, handle] of handles.entries()) {
    const entry = keys[position];
    assert(entry !== undefined && entry !== "dangerous", "an index that is whole has its keys");
    yield { key: entry.key, handle };
  }
}

interface BlockBounds {
  /** The key that the block begins behind; at it, when it is the first. */
  readonly after: Uint8Array;
  readonly isFirst: boolean;
  readonly last: Uint8Array;
}

/**
 * Whether all that LevelDB can make out in a damaged block are keys that may stand there, in order. An
 * entry that it cannot make out is an error to it, as is a block that it cannot unpack.
 */
function isSound(
  file: Uint8Array,
  handle: Handle,
  bounds: BlockBounds,
  lastSequence: number,
): boolean {
  const block = contentOf(file, handle);
  const restarts = block && restartsIn(block);
  if (!restarts) return true;
  const { offsets, end } = restarts;
  // It begins to read and to search at restarts: one that is elsewhere passes over entries.
  if (offsets[0] !== 0 || !isAscending([...offsets, end])) return false;
  let last: { key: Uint8Array; isIncluded: boolean } = {
    key: bounds.after,
    isIncluded: bounds.isFirst,
  };
  for (const offset of offsets) {
    const first = entryAt(block, offset, end, new Uint8Array());
    // At a restart it wants a whole key, and takes anything else for an error.
    if (!first || first === "dangerous" || first.shared !== 0) {
      if (first === "dangerous") return false;
      continue;
    }
    let before = last;
    for (const entry of entriesFrom(block, offset, end)) {
      if (entry === "dangerous" || !isPlausible(entry, lastSequence)) return false;
      const order = compareInternalKeys(entry.key, before.key);
      if (order < 0 || (order === 0 && !before.isIncluded)) return false;
      if (compareInternalKeys(entry.key, bounds.last) > 0) return false;
      before = { key: entry.key, isIncluded: false };
      // It ran over a restart: what lies between is left out.
      if (offsets.some((restart) => restart > entry.offset && restart < entry.next)) return false;
    }
    last = { key: first.key, isIncluded: false };
  }
  return true;
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > numbers[index - 1]!);
}

/** A sequence that is too high would hide the record; a deletion has no value, and a value has one. */
function isPlausible({ key, value }: BlockEntry, lastSequence: number): boolean {
  if (key.length < internalTrailerBytes) return false;
  const { sequence, type } = trailerOf(key);
  return sequence <= BigInt(lastSequence) && (type !== 0 || value.length === 0);
}

function lowerOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareInternalKeys(a, b) < 0 ? a : b;
}
