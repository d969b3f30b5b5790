import * as decoding from "lib0/decoding";

import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { unpackSnappy } from "./snappy.ts";

/**
 * Checks a table of LevelDB without LevelDB, which does not look at checksums when it reads and
 * ends its process at some damages. Every block is checked, the filter and the indexes among them,
 * and every byte of the file belongs to one.
 *
 *   file  := block* • filter • metaindex • index • footer
 *   block := content • type uint8 (1 is Snappy) • masked CRC-32C uint32
 */
export const footerBytes = 48;
export const trailerBytes = 5;
const magic = 0xdb4775248b80fb57n;
const indexBytesMax = 256 * 1024 * 1024;

/** Where a block lies in its file, without its trailer. */
export interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Returns what is wrong, the first thing in each block; empty when all of it is whole. */
export function checkTable(file: Uint8Array): string[] {
  try {
    return checkBlocks(file);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/**
 * Where the blocks with records are. An index that is whole names all of them.
 *
 * @throws Error when the index cannot be found or read.
 */
export function dataHandlesOf(file: Uint8Array): Handle[] {
  const { index } = readFooter(file);
  return handlesIn(blockAt(file, index, "index"));
}

export function readFooter(file: Uint8Array): {
  readonly metaindex: Handle;
  readonly index: Handle;
} {
  if (file.length === 0) throw new Error("it is empty");
  if (file.length < footerBytes) throw new Error("it is shorter than its footer");
  const footer = file.subarray(file.length - footerBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footerBytes);
  if (view.getBigUint64(footerBytes - 8, true) !== magic) throw new Error("its footer is damaged");
  const decoder = decoding.createDecoder(footer);
  const metaindex = readHandle(decoder);
  return { metaindex, index: readHandle(decoder) };
}

function checkBlocks(file: Uint8Array): string[] {
  const { metaindex, index } = readFooter(file);
  const known = [metaindex, index];
  known.push(...handlesIn(blockAt(file, metaindex, "metaindex")));
  const data = handlesIn(blockAt(file, index, "index"));
  const faults = [...data, ...known].flatMap((handle) => faultIn(file, handle));
  return [...faults, ...gapsBetween([...data, ...known], file.length - footerBytes)];
}

function readHandle(decoder: decoding.Decoder): Handle {
  return { offset: decoding.readVarUint(decoder), size: decoding.readVarUint(decoder) };
}

export function faultIn(file: Uint8Array, { offset, size }: Handle): string[] {
  const end = offset + size + trailerBytes;
  if (end > file.length) return [`the block at ${offset} reaches beyond the end`];
  const stored = new DataView(file.buffer, file.byteOffset + end - 4, 4).getUint32(0, true);
  const crc = maskedCrc32c(crc32c(file.subarray(offset, end - 4)));
  return crc === stored ? [] : [`the checksum of the block at ${offset} differs`];
}

/**
 * Content of a block that has to be understood, not only whole.
 *
 * @throws Error that says what is wrong with it.
 */
export function blockAt(file: Uint8Array, handle: Handle, name: string): Uint8Array {
  const [fault] = faultIn(file, handle);
  if (fault) throw new Error(`its ${name} is damaged: ${fault}`);
  const { offset, size } = handle;
  const content = file.subarray(offset, offset + size);
  return file[offset + size] === 1 ? unpackSnappy(content, indexBytesMax) : content;
}

/** Values of a block of handles; its keys only matter to who looks something up. */
export function handlesIn(block: Uint8Array): Handle[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const restarts = view.getUint32(block.length - 4, true);
  const end = block.length - 4 * (restarts + 1);
  const decoder = decoding.createDecoder(block.subarray(0, end));
  const handles: Handle[] = [];
  while (decoding.hasContent(decoder)) {
    decoding.readVarUint(decoder);
    const keyBytes = decoding.readVarUint(decoder);
    const valueBytes = decoding.readVarUint(decoder);
    decoding.readUint8Array(decoder, keyBytes);
    handles.push(readHandle(decoding.createDecoder(decoding.readUint8Array(decoder, valueBytes))));
  }
  return handles;
}

/** Bytes that no block covers could be anything; LevelDB leaves none. */
function gapsBetween(handles: readonly Handle[], end: number): string[] {
  const gaps: string[] = [];
  let at = 0;
  for (const { offset, size } of handles.toSorted((a, b) => a.offset - b.offset)) {
    if (offset !== at) gaps.push(`the bytes from ${at} to ${offset} belong to no block`);
    at = offset + size + trailerBytes;
  }
  return at === end ? gaps : [...gaps, `the bytes from ${at} to ${end} belong to no block`];
}
