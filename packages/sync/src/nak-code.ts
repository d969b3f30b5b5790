import { bytesOfId, type DocumentId, type Hash, type LaneId } from "@heddle/core";
import * as encoding from "lib0/encoding";

/** Why a run was not taken. Numbers are part of `heddle.1`. */
export const NakCode = {
  /** Its signature, or that of its lane, is wrong. Comes again after a damaged frame. */
  badSignature: 1,
  /** Its lane has two histories; nothing more of it is taken. */
  forked: 2,
  /** What it holds is refused for good. */
  refused: 3,
  /** Its device may not write this, by the records of the space. Not for good where more is granted. */
  forbidden: 4,
} as const;

/** After these the lane is not pushed to that peer any more. */
export function isPermanentNak(code: number): boolean {
  return code !== NakCode.badSignature;
}

/** What a NAK is about. */
export interface NakSubject {
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly seq: number;
  readonly code: number;
}

const checkBytes = 8;

/**
 * A lane is given up on the word of a NAK, with no id to prove it: a flipped bit would turn "send it
 * again" into "never". So it carries a hash of what it says.
 */
export function nakCheck(hash: Hash, { document, lane, seq, code }: NakSubject): Uint8Array {
  const bytes = encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, bytesOfId(document));
    encoding.writeUint8Array(encoder, bytesOfId(lane));
    encoding.writeVarUint(encoder, seq);
    encoding.writeVarUint(encoder, code);
  });
  return hash.sha256(bytes).slice(0, checkBytes);
}
