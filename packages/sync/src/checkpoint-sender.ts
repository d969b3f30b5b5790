import { equalBytes } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { CheckpointGetFlag, CheckpointOfferFlag } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import type { SyncContext } from "./sync-context.ts";
import type { HeldCheckpoint } from "./sync-effects.ts";

/** The least that an envelope costs on the wire: its signature and half of what is around it. */
const envelopeWireBytesMin = 100;

/**
 * Serves our newest checkpoint to the peer of one link, when the log below it is gone or costs more:
 *
 *   idle ──peer below our floor, or far behind──► offered ──GET──► serving ──last chunk──► offered
 *                                                    └──declined──► idle, until there is another
 *
 * Envelopes wait meanwhile: what lies above builds on what the checkpoint holds.
 */
export class CheckpointSender {
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  #offered: { readonly id: Uint8Array; readonly atMs: number } | undefined;
  #declined: Uint8Array | undefined;
  #serving: { readonly held: HeldCheckpoint; chunk: number } | undefined;
  #isReading = false;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
  }

  /** Does what there is to do; true while envelopes have to wait for it. */
  advance(): boolean {
    const { checkpoint: held, floors } = this.#link.exchange.ledger;
    if (held === undefined || this.#isDeclined(held)) return false;
    const isNeeded = this.#link.positions.isBelow(floors);
    if (!isNeeded && !this.#isCheaper(held)) {
      this.#serving = undefined;
      return false;
    }
    if (this.#serving) {
      this.#serve(this.#serving);
      return true;
    }
    const { nowMs, limits } = this.#context;
    const isOffered = this.#offered !== undefined && equalBytes(this.#offered.id, held.header.id);
    const waitedMs = isOffered ? nowMs - this.#offered!.atMs : Infinity;
    if (waitedMs < limits.retryMsMin * 5) return true;
    // It said nothing: the log does as well, as long as it is there.
    if (isOffered && !isNeeded) return false;
    this.#offer(held, isNeeded);
    return true;
  }

  receiveGet({ checkpoint, firstChunk, flags }: FrameOf<"checkpointGet">): void {
    const { checkpoint: held } = this.#link.exchange.ledger;
    if ((flags & CheckpointGetFlag.decline) !== 0) {
      this.#declined = checkpoint.slice();
      this.#serving = undefined;
    } else if (held && equalBytes(held.header.id, checkpoint)) {
      this.#serving = { held, chunk: firstChunk };
    } else {
      // There is a newer one by now.
      this.#offered = undefined;
    }
    this.#link.session.wantsToPush(this.#link);
  }

  #isDeclined({ header }: HeldCheckpoint): boolean {
    return this.#declined !== undefined && equalBytes(this.#declined, header.id);
  }

  #isCheaper({ header, vector, vectorBytes }: HeldCheckpoint): boolean {
    const count = this.#link.positions.missingBelow(vector);
    const isMany = count >= this.#context.limits.checkpointEnvelopesMin;
    return isMany && count * envelopeWireBytesMin > header.payloadBytes + vectorBytes;
  }

  #offer({ header, vectorBytes }: HeldCheckpoint, isNeeded: boolean): void {
    this.#offered = { id: header.id, atMs: this.#context.nowMs };
    this.#context.counters.checkpointsOffered++;
    this.#link.session.send({
      name: "checkpointOffer",
      documentRef: this.#link.ourRef,
      header: header.bytes,
      attestations: [],
      vectorBytes,
      flags: isNeeded ? CheckpointOfferFlag.needed : 0,
    });
  }

  /** One chunk at a time, while there is credit. */
  #serve(serving: { readonly held: HeldCheckpoint; chunk: number }): void {
    const { session, document, ourRef } = this.#link;
    if (this.#isReading || !session.isCreditOpen) return;
    const { header } = serving.held;
    const { checkpointChunkBytes: bytesMax } = this.#context.limits;
    const { chunk } = serving;
    const ask = { document, checkpoint: header.id, offset: chunk * bytesMax, bytesMax };
    this.#isReading = true;
    this.#context.request("readCheckpoint", ask, (answer) => {
      this.#isReading = false;
      if (!session.isLive) return;
      session.wantsToPush(this.#link);
      // Another GET may have come meanwhile, and begin elsewhere.
      if (this.#serving !== serving || serving.chunk !== chunk) return;
      const isOver = answer.outcome === "gone" || answer.bytes.length === 0;
      if (isOver) {
        this.#endServing(answer.outcome === "gone");
        return;
      }
      const { bytes } = answer;
      const checkpoint = header.id;
      session.send({ name: "checkpointData", documentRef: ourRef, checkpoint, chunk, bytes });
      this.#context.counters.checkpointChunksSent++;
      serving.chunk++;
      if (bytes.length < bytesMax) this.#endServing(false);
    });
  }

  #endServing(isGone: boolean): void {
    this.#serving = undefined;
    if (isGone) this.#offered = undefined;
    else if (this.#offered) this.#offered = { ...this.#offered, atMs: this.#context.nowMs };
  }
}
