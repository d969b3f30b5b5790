import type { DocumentId } from "@heddle/core";

/** A document of a library, and the first 16 bytes of its digest L. */
export interface LibraryEntry {
  readonly document: DocumentId;
  readonly digest: Uint8Array;
}

/** What both sides have in a place is the same exactly when these 16 bytes are. */
export type LibraryHash = Uint8Array;

/**
 * What is in one place of a library: few documents themselves, of many the hashes of the sixteen places
 * below. `prefix` is the place, by the hex digits that the placements of all documents in it begin with.
 */
export type LibraryNode =
  | { readonly kind: "leaf"; readonly prefix: string; readonly entries: readonly LibraryEntry[] }
  | {
      readonly kind: "branch";
      readonly prefix: string;
      /** Sixteen; `undefined` where nothing is. */
      readonly children: readonly (LibraryHash | undefined)[];
    };

export const libraryShape = {
  fanOut: 16,
  /** A place with more is a branch, one with fewer a leaf: the shape depends on nothing else. */
  leafDocumentsMax: 32,
  hashBytes: 16,
  /** Hex digits of a placement; deeper than that no two documents can be told apart. */
  prefixLengthMax: 32,
} as const;

export const noLibraryHash: LibraryHash = new Uint8Array(libraryShape.hashBytes);

const digits = "0123456789abcdef";

/** The place below `prefix` with this number. */
export function placeBelow(prefix: string, child: number): string {
  return prefix + digits[child]!;
}
