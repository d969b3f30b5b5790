import type { LaneId } from "@heddle/core";

import type { DocumentLedger } from "./document-ledger.ts";
import { HaveFlag, type AckedPosition } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { headBytes } from "./peer-positions.ts";
import { positionsPerFrame } from "./wire-limits.ts";

/** Whom frames are for: our number for the document, and the largest frame that the reader takes. */
export interface PositionsReader {
  readonly documentRef: number;
  readonly frameBytesMax: number;
}

/** What is on our disk, in as many HAVEs as it takes; only its digest where `flags` say so. */
export function haveFrames(
  { digest, durable }: DocumentLedger,
  { documentRef, frameBytesMax }: PositionsReader,
  flags: number,
): FrameOf<"have">[] {
  const isShort = (flags & HaveFlag.digestOnly) !== 0;
  const pieces = piecesOf(isShort ? [] : [...durable], positionsPerFrame(frameBytesMax));
  return pieces.map((piece, index) => ({
    name: "have",
    documentRef,
    digest,
    flags: index < pieces.length - 1 ? flags | HaveFlag.more : flags,
    positions: piece.map(([lane, { seq, head }]) => {
      return { lane, seq, head: head.subarray(0, headBytes) };
    }),
    checkpoint: undefined,
  }));
}

/**
 * How far lanes are on our disk, for whoever pushed them; none where there is nothing to say.
 *
 * @param refOf the number that the reader gave a lane.
 */
export function ackFrames(
  { durable }: DocumentLedger,
  { documentRef, frameBytesMax }: PositionsReader,
  lanes: Iterable<LaneId>,
  refOf: (lane: LaneId) => number | undefined,
): FrameOf<"ack">[] {
  const acked: AckedPosition[] = [];
  for (const lane of lanes) {
    const position = durable.get(lane);
    const laneRef = refOf(lane);
    if (position === undefined || laneRef === undefined) continue;
    acked.push({ laneRef, seq: position.seq, head: position.head.subarray(0, headBytes) });
  }
  if (acked.length === 0) return [];
  return piecesOf(acked, positionsPerFrame(frameBytesMax)).map((positions) => {
    return { name: "ack", documentRef, positions };
  });
}

/** At least one piece, of `countMax` items at most. */
function piecesOf<Item>(items: readonly Item[], countMax: number): Item[][] {
  const count = Math.max(1, Math.ceil(items.length / countMax));
  return Array.from({ length: count }, (_, index) => {
    return items.slice(index * countMax, (index + 1) * countMax);
  });
}
