import {
  EnvelopeFlag,
  EnvelopeKind,
  PayloadCodec,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type LaneWriter,
  type VersionVector,
} from "@heddle/core";

import { payloadsOf } from "./burst-payloads.ts";
import type { PendingUpdates, UpdateBurst, UpdateSource } from "./pending-updates.ts";

/** What one round of a document writes. */
export interface SealedRound {
  readonly envelopes: readonly Envelope[];
  /** Of other replicas, which the store has not heard of in this document. */
  readonly lanes: readonly LaneDescriptor[];
  /** Of what is shown once it is on disk; what is held is logged and no more. */
  readonly shown: readonly Envelope[];
}

const noLanes: readonly LaneDescriptor[] = [];

/** How far each lane of a document reaches, sealed here or taken in, on disk or on its way there. */
export class SealedLanes {
  readonly #document: DocumentId;
  readonly #positions: Map<LaneId, LanePosition>;
  /** Lanes of others whose descriptor was written since the document was loaded, or before. */
  readonly #described = new Set<LaneId>();
  /** Whether the vector that the store keeps is behind. */
  #hasNewPositions: boolean;

  constructor(
    document: DocumentId,
    positions: Map<LaneId, LanePosition>,
    hasNewPositions: boolean,
  ) {
    this.#document = document;
    this.#positions = positions;
    this.#hasNewPositions = hasNewPositions;
  }

  copy(): VersionVector {
    return new Map(this.#positions);
  }

  /** The vector to keep, when there is one that the store does not have yet. */
  takeNew(): VersionVector | undefined {
    if (!this.#hasNewPositions) return undefined;
    this.#hasNewPositions = false;
    return this.copy();
  }

  /** Lanes that were behind `vector` stand there now. */
  raise(vector: VersionVector): void {
    for (const [lane, position] of vector) {
      if (position.seq <= (this.#positions.get(lane)?.seq ?? 0)) continue;
      this.#positions.set(lane, position);
      this.#hasNewPositions = true;
    }
  }

  /** Seals what is not sealed yet, in the order in which it was accepted. */
  seal(writer: LaneWriter, updates: PendingUpdates): SealedRound {
    const [first] = updates.bursts;
    const isPlain = updates.bursts.length === 1 && !first!.sealed && !first!.control;
    if (isPlain) return this.#sealOwn(writer, first!);
    const shown: Envelope[] = [];
    const envelopes: Envelope[] = [];
    const lanes: LaneDescriptor[] = [];
    for (const burst of updates.bursts) {
      for (const { lane, envelope, isHeld } of burst.sealed ?? []) {
        this.#advance(envelope);
        envelopes.push(envelope);
        if (!this.#described.has(lane.id)) lanes.push(lane);
        this.#described.add(lane.id);
        if (!isHeld) shown.push(envelope);
      }
      if (burst.control) envelopes.push(this.#sealControl(writer, burst.control));
      if (burst.sealed || burst.control) continue;
      for (const payload of payloadsOf(burst)) {
        const envelope = this.#seal(writer, payload, burst.source);
        envelopes.push(envelope);
        shown.push(envelope);
      }
    }
    return { envelopes, lanes, shown };
  }

  /** What nearly every round is: a few letters of one writer. */
  #sealOwn(writer: LaneWriter, burst: UpdateBurst): SealedRound {
    const payloads = payloadsOf(burst);
    const envelopes = [this.#seal(writer, payloads[0]!, burst.source)];
    for (let index = 1; index < payloads.length; index++) {
      envelopes.push(this.#seal(writer, payloads[index]!, burst.source));
    }
    return { envelopes, lanes: noLanes, shown: envelopes };
  }

  #seal(writer: LaneWriter, payload: Uint8Array, source: UpdateSource): Envelope {
    const { principal, tag, reason, correlationId } = source;
    const lane = writer.descriptor.id;
    const envelope = writer.seal(this.#positions.get(lane), {
      kind: EnvelopeKind.update,
      flags: source.flags ?? EnvelopeFlag.viaGateway,
      document: this.#document,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload,
      correlationId,
      principal,
      reason,
      sourceTag: tag,
    });
    this.#advance(envelope);
    return envelope;
  }

  #sealControl(writer: LaneWriter, payload: Uint8Array): Envelope {
    const envelope = writer.seal(this.#positions.get(writer.descriptor.id), {
      kind: EnvelopeKind.documentControl,
      flags: 0,
      document: this.#document,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.none,
      payload,
    });
    this.#advance(envelope);
    return envelope;
  }

  #advance({ lane, seq, id }: Envelope): void {
    this.#positions.set(lane, { seq, head: id });
    this.#hasNewPositions = true;
  }
}
