import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  PayloadCodec,
  toHex,
  type Envelope,
  type LaneId,
} from "@heddle/core";
import {
  admitUpdate,
  DocumentKnowledge,
  HeldClocks,
  parseStored,
  UpdateFold,
  type ParsedUpdate,
} from "@heddle/document";

import { LogSize } from "./log-size.ts";
import type { LogBase } from "./read-checkpoint.ts";

/** Adds up envelopes in the order of the log; skips recalled ones and what depends on them (DOC-9). */
export class LogReading {
  readonly knowledge = new DocumentKnowledge();
  readonly fold = new UpdateFold();
  readonly held = new HeldClocks();
  heldEnvelopes = 0;
  readonly size = new LogSize();
  /** Lane → first seq that does not count in the space, or builds on what does not. */
  readonly uncountedFrom = new Map<LaneId, number>();
  readonly #recalled: ReadonlySet<string>;
  readonly #uncounted: ReadonlySet<string>;

  /**
   * @param recalled ids of envelopes in hex.
   * @param uncounted those of them that do not count in the space. Who does not hold them can take nothing
   * that builds on them, nor what follows in that lane: all of that is held by everybody alike.
   */
  constructor(recalled: ReadonlySet<string>, uncounted: ReadonlySet<string> = new Set()) {
    this.#recalled = recalled;
    this.#uncounted = uncounted;
  }

  /** Starts from a checkpoint instead of from nothing; what is added then lies above it. */
  begin({ state, header: { held, heldEnvelopes } }: LogBase): void {
    this.knowledge.learn(state);
    this.fold.append(state);
    if (held) this.held.restore(held);
    this.heldEnvelopes = heldEnvelopes;
  }

  /** Returns what of it belongs to the document. */
  add(envelope: Envelope): ParsedUpdate | undefined {
    if (envelope.codec !== PayloadCodec.yjsV1) return undefined;
    const update = parsePayload(envelope);
    this.size.addEnvelope(envelope.payload);
    this.size.addUpdate(update);
    const part = this.#recalled.size === 0 ? update : this.#partOf(envelope, update);
    if (part === undefined) return undefined;
    this.knowledge.learn(part);
    this.fold.append(part);
    return part;
  }

  #partOf(envelope: Envelope, update: ParsedUpdate): ParsedUpdate | undefined {
    const { lane, seq } = envelope;
    const id = toHex(envelope.id);
    const isCut = this.uncountedFrom.has(lane) || this.#uncounted.has(id);
    if (!isCut && this.#recalled.has(id)) {
      this.#hold(update);
      return undefined;
    }
    const { admitted, parked } = isCut ? {} : admitUpdate(this.knowledge, update);
    if (isCut || (parked && this.#uncounted.size > 0)) {
      this.#hold(update);
      if (!this.uncountedFrom.has(lane)) this.uncountedFrom.set(lane, seq);
      return undefined;
    }
    if (parked) this.#hold(parseStored(parked));
    return admitted;
  }

  #hold(update: ParsedUpdate): void {
    this.held.hold(update);
    this.heldEnvelopes++;
  }
}

/** Its size was checked when it was admitted; what it was cut to may be a few bytes longer. */
export function parsePayload({ payload, lane, seq, document }: Envelope): ParsedUpdate {
  try {
    return parseStored(payload);
  } catch (cause) {
    if (!isHeddleError(cause)) throw cause;
    const message = `envelope ${seq} of lane ${lane} in document ${document} holds no valid update`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
  }
}
