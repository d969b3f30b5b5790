import { bytesOfId, documentId } from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { writeFixed, type ItemCodec } from "./field-codecs.ts";
import {
  libraryShape,
  type LibraryEntry,
  type LibraryHash,
  type LibraryNode,
} from "./library-node.ts";

const { fanOut, hashBytes, leafDocumentsMax, prefixLengthMax } = libraryShape;

/** What stands where a leaf has its count. */
const branchMark = leafDocumentsMax + 1;

/**
 * node   := prefix • (leaf | branch)
 * prefix := uint8 digits, 0 to 32 • two digits a byte; 0 for the last one where there is no more
 * leaf   := uint8 count, 0 to 32 • (document 16 • digest 16)*
 * branch := uint8 33 • uint16 which children are there, the first in the highest bit • hash 16 *
 */
export const libraryNode: ItemCodec<LibraryNode> = {
  bytesMin: 2,
  write(encoder, node) {
    writePrefix(encoder, node.prefix);
    if (node.kind === "branch") return writeChildren(encoder, node.children);
    encoding.writeUint8(encoder, node.entries.length);
    for (const { document, digest } of node.entries) {
      writeFixed(encoder, bytesOfId(document), digest);
    }
  },
  read(decoder) {
    const prefix = readPrefix(decoder);
    const count = decoding.readUint8(decoder);
    if (count === branchMark && prefix.length < prefixLengthMax) {
      return { kind: "branch", prefix, children: readChildren(decoder) };
    }
    if (count > leafDocumentsMax) throw new RangeError("a leaf with too many documents");
    const entries = Array.from({ length: count }, () => readEntry(decoder));
    return { kind: "leaf", prefix, entries };
  },
};

/** How long a node is when it is written. */
export function libraryNodeBytes(node: LibraryNode): number {
  const prefixBytes = 1 + Math.ceil(node.prefix.length / 2);
  if (node.kind === "leaf") return prefixBytes + 1 + node.entries.length * (16 + hashBytes);
  return prefixBytes + 3 + node.children.filter((child) => child).length * hashBytes;
}

function writePrefix(encoder: encoding.Encoder, prefix: string): void {
  encoding.writeUint8(encoder, prefix.length);
  for (let at = 0; at < prefix.length; at += 2) {
    encoding.writeUint8(encoder, parseInt(prefix.slice(at, at + 2).padEnd(2, "0"), 16));
  }
}

function readPrefix(decoder: decoding.Decoder): string {
  const length = decoding.readUint8(decoder);
  if (length > prefixLengthMax) throw new RangeError("a place deeper than there are any");
  let digits = "";
  for (let at = 0; at < length; at += 2) {
    digits += decoding.readUint8(decoder).toString(16).padStart(2, "0");
  }
  if (digits.length > length && digits.at(-1) !== "0")
    throw new RangeError("a digit after the last");
  return digits.slice(0, length);
}

function writeChildren(
  encoder: encoding.Encoder,
  children: readonly (LibraryHash | undefined)[],
): void {
  let present = 0;
  for (const child of children) present = (present << 1) | (child ? 1 : 0);
  encoding.writeUint8(encoder, branchMark);
  encoding.writeUint8(encoder, present >> 8);
  encoding.writeUint8(encoder, present & 255);
  for (const child of children) if (child) writeFixed(encoder, child);
}

function readChildren(decoder: decoding.Decoder): (LibraryHash | undefined)[] {
  const high = decoding.readUint8(decoder);
  const present = (high << 8) | decoding.readUint8(decoder);
  if (present === 0) throw new RangeError("a branch without children");
  return Array.from({ length: fanOut }, (_, child) => {
    const isThere = (present & (1 << (fanOut - 1 - child))) !== 0;
    return isThere ? decoding.readUint8Array(decoder, hashBytes) : undefined;
  });
}

function readEntry(decoder: decoding.Decoder): LibraryEntry {
  const document = documentId(decoding.readUint8Array(decoder, 16));
  return { document, digest: decoding.readUint8Array(decoder, hashBytes) };
}
