import {
  concatBytes,
  decodeCheckpoint,
  decodeCheckpointVector,
  equalBytes,
  hashCheckpointVector,
  HeddleErrorCode,
  isHeddleError,
  limits as formatLimits,
  malformed,
  toHex,
  type CheckpointHeader,
  type DocumentId,
} from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { CheckpointGetFlag, CheckpointOfferFlag } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";
import type { CheckpointRefusal } from "./sync-effects.ts";

/** One checkpoint on its way in. It outlives the session that began it. */
interface Intake {
  readonly header: CheckpointHeader;
  readonly vectorBytes: number;
  /** All chunks so far, in order. */
  readonly chunks: Uint8Array[];
  heldBytes: number;
  /** Who serves it. */
  link: DocumentLink;
  state: "verifying" | "receiving" | "adopting";
  attempts: number;
  dueMs: number;
  /** When something of it came last. */
  movedMs: number;
}

/** So many GETs without a chunk, and whoever else offers the same checkpoint is asked. */
const idleAttempts = 4;

/**
 * Checkpoints that peers serve us, at most one per document:
 *
 *   offered ──signature good──► receiving ──last chunk──► adopting ──on disk──► HAVE to everybody
 *                │                  ▲ └─ connection lost: goes on with whoever offers it again
 *                └ bad: session over     └─ GET from the first chunk that is missing
 *
 * Nothing is allocated by a size that a header claims: chunks are held as they come, within credit, and
 * what is announced in all has a bound.
 */
export class CheckpointIntakes {
  readonly #context: SyncContext;
  readonly #intakes = new Map<DocumentId, Intake>();
  /** Ids of checkpoints whose content is wrong; they are not taken from anybody. */
  readonly #refused = new Set<string>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  get heldBytes(): number {
    let bytes = 0;
    for (const { heldBytes } of this.#intakes.values()) bytes += heldBytes;
    return bytes;
  }

  /** @throws HeddleError when the header cannot be read or is of something else. */
  receiveOffer(link: DocumentLink, frame: FrameOf<"checkpointOffer">): void {
    const header = this.#readHeader(link, frame);
    const isNeeded = (frame.flags & CheckpointOfferFlag.needed) !== 0;
    const known = this.#intakes.get(link.document);
    if (known && equalBytes(known.header.id, header.id)) return this.#resume(known, link);
    if (known && (known.state === "adopting" || this.#isServed(known, link))) return;
    const isWrong = this.#refused.has(toHex(header.id));
    if (isWrong || (!isNeeded && this.#keepsHistory(link))) return decline(link, header);
    if (!link.positions.isBehind) return;
    const intake: Intake = {
      header,
      vectorBytes: frame.vectorBytes,
      chunks: [],
      heldBytes: 0,
      link,
      state: "verifying",
      attempts: 0,
      dueMs: 0,
      movedMs: this.#context.nowMs,
    };
    // Where there is no room it is offered again, as long as it is needed.
    if (!this.#hasRoom(intake, known)) return;
    this.#intakes.set(link.document, intake);
    const { devicePublicKey, id, signature } = header;
    this.#context.request("verify", { devicePublicKey, bytes: id, signature }, (isGood) => {
      if (this.#intakes.get(link.document) !== intake) return;
      if (!isGood) return this.#refuse(intake, "signature");
      intake.state = "receiving";
      this.#ask(intake);
    });
  }

  receiveData(link: DocumentLink, frame: FrameOf<"checkpointData">): void {
    const intake = this.#intakes.get(link.document);
    const isExpected =
      intake?.state === "receiving" &&
      // What somebody else says unasked may be anything, and whoever serves it would be blamed.
      intake.link === link &&
      equalBytes(intake.header.id, frame.checkpoint) &&
      frame.chunk === intake.chunks.length;
    if (!isExpected) {
      // Late, repeated, or behind one that was lost, which is asked for again when it is due.
      this.#context.counters.checkpointChunksDropped++;
      return;
    }
    const { checkpointChunkBytes } = this.#context.limits;
    const leftBytes = totalBytes(intake) - intake.heldBytes;
    if (frame.bytes.length !== Math.min(leftBytes, checkpointChunkBytes)) {
      throw malformed("checkpoint", "a chunk is not as long as it should be");
    }
    intake.chunks.push(frame.bytes.slice());
    intake.heldBytes += frame.bytes.length;
    intake.attempts = 0;
    intake.movedMs = this.#context.nowMs;
    this.#scheduleRetry(intake);
    if (intake.heldBytes === totalBytes(intake)) this.#adopt(intake);
  }

  tick(): void {
    const { nowMs, limits } = this.#context;
    for (const [document, intake] of this.#intakes) {
      if (intake.state === "adopting") continue;
      if (nowMs - intake.movedMs > limits.checkpointIdleMs) this.#intakes.delete(document);
      else if (intake.state === "receiving" && nowMs >= intake.dueMs) this.#ask(intake);
    }
  }

  #readHeader(link: DocumentLink, frame: FrameOf<"checkpointOffer">): CheckpointHeader {
    const header = decodeCheckpoint(this.#context.options.hash, frame.header.slice());
    const { space } = this.#context.options;
    if (header.document !== link.document || header.space !== space) {
      throw malformed("checkpoint", "it is of another document");
    }
    const bytes = frame.vectorBytes + header.payloadBytes;
    if (frame.vectorBytes === 0 || bytes > 2 * formatLimits.checkpointStateBytesMax) {
      throw malformed("checkpoint", "its size is out of bounds");
    }
    return header;
  }

  /** Somebody offers what is being taken in: go on with it there if nobody else serves it. */
  #resume(intake: Intake, link: DocumentLink): void {
    if (intake.state !== "receiving" || this.#isServed(intake, link)) return;
    intake.link = link;
    if (this.#context.nowMs >= intake.dueMs) this.#ask(intake);
  }

  /** Somebody else serves it, and does: who was asked again and again in vain gives way. */
  #isServed({ link: server, attempts }: Intake, link: DocumentLink): boolean {
    return server !== link && server.session.isLive && attempts < idleAttempts;
  }

  #keepsHistory({ exchange }: DocumentLink): boolean {
    const { history } = exchange.ledger.entry;
    return (history ?? this.#context.options.history ?? "keep") === "keep";
  }

  #hasRoom(intake: Intake, instead: Intake | undefined): boolean {
    let bytes = totalBytes(intake);
    for (const each of this.#intakes.values()) if (each !== instead) bytes += totalBytes(each);
    return bytes <= this.#context.limits.checkpointIntakeBytesMax;
  }

  #ask(intake: Intake): void {
    intake.attempts++;
    this.#scheduleRetry(intake);
    const { session, ourRef } = intake.link;
    session.send({
      name: "checkpointGet",
      documentRef: ourRef,
      checkpoint: intake.header.id,
      firstChunk: intake.chunks.length,
      flags: 0,
    });
  }

  #scheduleRetry(intake: Intake): void {
    const { limits, nowMs, options } = this.#context;
    const bounds = { delayMsMin: limits.retryMsMin * 5, delayMsMax: limits.retryMsMax };
    intake.dueMs = nowMs + fullJitter(intake.attempts, bounds, options.random);
  }

  /** All of it is here. The vector is looked at now, the state by the host. */
  #adopt(intake: Intake): void {
    intake.state = "adopting";
    const { header, vectorBytes, link } = intake;
    const whole = concatBytes(intake.chunks);
    const vectorPart = whole.subarray(0, vectorBytes);
    const { hash } = this.#context.options;
    if (!equalBytes(hashCheckpointVector(hash, [vectorPart]), header.vectorHash)) {
      return this.#refuse(intake, "damaged");
    }
    const { exchange } = link;
    try {
      const { vector } = decodeCheckpointVector([vectorPart]);
      const { ledger } = exchange;
      const isForked = [...vector].some(([lane, { seq }]) => {
        return ledger.isFrozen(lane) && seq > ledger.durableSeq(lane);
      });
      // Nobody can tell on which branch it was built.
      if (isForked) return this.#refuse(intake, "forked");
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      return this.#refuse(intake, "damaged");
    }
    const payload = whole.subarray(vectorBytes);
    const ask = { entry: exchange.ledger.entry, header, vector: vectorPart, payload };
    exchange.adopt(ask, (answer) => {
      this.#intakes.delete(link.document);
      if (answer.outcome === "refused") this.#refuse(intake, answer.reason);
      if (answer.outcome !== "adopted") return;
      this.#context.counters.checkpointsAdopted++;
      link.hasReceived = true;
    });
  }

  #refuse(intake: Intake, reason: CheckpointRefusal): void {
    const { header, link } = intake;
    this.#intakes.delete(link.document);
    this.#context.counters.checkpointsRefused++;
    const { document } = link;
    const event = { name: "checkpoint.refused", document, checkpoint: header, reason } as const;
    this.#context.emit({ type: "event", event });
    if (reason === "signature" || reason === "damaged") {
      // On its way, as likely as not: both sides begin anew, and it comes again.
      return link.session.close(HeddleErrorCode.frameMalformed);
    }
    this.#refused.add(toHex(header.id));
    if (this.#refused.size > this.#context.limits.refusedCheckpointsMax) {
      this.#refused.delete(this.#refused.values().next().value!);
    }
    decline(link, header);
  }
}

function totalBytes({ header, vectorBytes }: Intake): number {
  return vectorBytes + header.payloadBytes;
}

function decline({ session, ourRef }: DocumentLink, { id }: CheckpointHeader): void {
  const flags = CheckpointGetFlag.decline;
  session.send({
    name: "checkpointGet",
    documentRef: ourRef,
    checkpoint: id,
    firstChunk: 0,
    flags,
  });
}
