import {
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  PayloadCodec,
  type DocumentId,
  type Envelope,
  type Environment,
  type LaneDescriptor,
  type LanePosition,
  type Signer,
} from "@heddle/core";

export interface RescuedEnvelope {
  readonly lane: LaneDescriptor;
  /** The lane has to be written before the envelope. */
  readonly isNew: boolean;
  readonly envelope: Envelope;
}

type Content = Pick<Envelope, "document" | "payload"> & Partial<Envelope>;

/**
 * The lane in which a repair writes what has lost its own: a lane without its descriptor is nobody's.
 * It is opened when it is needed, and signed with a key that nobody keeps.
 */
export class RescueLane {
  readonly #environment: Environment;
  readonly #signer: () => Signer;
  readonly #positions = new Map<DocumentId, LanePosition>();
  #writer: LaneWriter | undefined;

  constructor(environment: Environment, signer: () => Signer) {
    this.#environment = environment;
    this.#signer = signer;
  }

  /** What somebody wrote stays theirs as far as the envelope says who it was. */
  async seal(content: Content): Promise<RescuedEnvelope> {
    const isNew = this.#writer === undefined;
    this.#writer ??= await this.#open();
    const { document, payload, correlationId, principal, reason, sourceTag } = content;
    const { kind = EnvelopeKind.update, flags = 0, epoch = 0, schema = 0 } = content;
    const { codec = PayloadCodec.yjsV1 } = content;
    const draft = { kind, flags, document, epoch, schema, codec, payload };
    const about = { correlationId, principal, reason, sourceTag };
    const envelope = this.#writer.seal(this.#positions.get(document), { ...draft, ...about });
    this.#positions.set(document, { seq: envelope.seq, head: envelope.id });
    return { lane: this.#writer.descriptor, isNew, envelope };
  }

  async #open(): Promise<LaneWriter> {
    const { hash, random, clock: source } = this.#environment;
    const clock = new HybridClock(source);
    const opening = { space: openSpaceId(hash), signer: this.#signer(), hash, random, clock };
    return new LaneWriter(await openLane({ ...opening, engine: "heddle repair" }), hash, clock);
  }
}
