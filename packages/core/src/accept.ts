import { equalBytes } from "./bytes.ts";
import { HeddleErrorCode } from "./errors.ts";
import type { Envelope } from "./envelope.ts";
import { noEnvelopeId, type EnvelopeId } from "./ids.ts";
import type { LanePosition } from "./version-vector.ts";

/**
 * What becomes of an envelope that arrived. Every outcome is an answer, never an exception:
 *
 *   seq = have + 1, prev = head ──► applied            seq ≤ have, same id  ──► duplicate
 *   seq > have + 1 ───────────────► awaiting-earlier   any other id or prev ──► refused (fork)
 */
export type Acceptance =
  | { readonly outcome: "applied"; readonly position: LanePosition }
  | { readonly outcome: "duplicate" }
  | { readonly outcome: "awaiting-earlier"; readonly fromSeq: number; readonly toSeq: number }
  | { readonly outcome: "refused"; readonly code: HeddleErrorCode };

/**
 * Decides about `envelope` from what is held of its lane and document. The ledger is the position
 * itself: there is no window after which a repeat would count as new (LOG-3).
 *
 * @param idAt the id held at an earlier `seq`; `undefined` where a checkpoint has replaced it, and
 * then the head that the checkpoint names has already vouched for the past.
 */
export function acceptEnvelope(
  have: LanePosition | undefined,
  envelope: Envelope,
  idAt: (seq: number) => EnvelopeId | undefined,
): Acceptance {
  const { seq, head } = have ?? { seq: 0, head: noEnvelopeId };
  if (envelope.seq > seq + 1) {
    return { outcome: "awaiting-earlier", fromSeq: seq + 1, toSeq: envelope.seq - 1 };
  }
  if (envelope.seq === seq + 1) {
    return equalBytes(envelope.prev, head)
      ? { outcome: "applied", position: { seq: envelope.seq, head: envelope.id } }
      : { outcome: "refused", code: HeddleErrorCode.laneForked };
  }
  const held = envelope.seq === seq ? head : idAt(envelope.seq);
  return held === undefined || equalBytes(held, envelope.id)
    ? { outcome: "duplicate" }
    : { outcome: "refused", code: HeddleErrorCode.laneForked };
}
