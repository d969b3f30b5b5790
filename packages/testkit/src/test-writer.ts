import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  signRun,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LanePosition,
  type VersionVector,
} from "@heddle/core";

import type { TestEnvironment } from "./test-environment.ts";

/** A lane that seals real envelopes, one after the other in each document. */
export class TestWriter {
  readonly lane: LaneDescriptor;
  readonly #environment: TestEnvironment;
  readonly #writer: LaneWriter;
  readonly #positions = new Map<DocumentId, LanePosition>();

  private constructor(environment: TestEnvironment, lane: LaneDescriptor, clock: HybridClock) {
    this.#environment = environment;
    this.lane = lane;
    this.#writer = new LaneWriter(lane, environment.hash, clock);
  }

  /** Opens a new lane of the environment's device in the open space. */
  static async open(environment: TestEnvironment): Promise<TestWriter> {
    const { hash, random, signer } = environment;
    const clock = new HybridClock(environment.clock);
    const space = openSpaceId(hash);
    const lane = await openLane({ space, signer, hash, random, clock, engine: "test" });
    return new TestWriter(environment, lane, clock);
  }

  /** The next envelope of this lane in `document`, unsigned. */
  seal(document: DocumentId, payload: Uint8Array = Uint8Array.of(0, 0)): Envelope {
    const envelope = this.#writer.seal(this.#positions.get(document), {
      kind: EnvelopeKind.update,
      flags: 0,
      document,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload,
    });
    this.#positions.set(document, { seq: envelope.seq, head: envelope.id });
    return envelope;
  }

  /** The next `count` envelopes as a run, signed at its end. */
  sealRun(document: DocumentId, count: number): Promise<Envelope[]> {
    const run = Array.from({ length: count }, () => this.seal(document));
    return signRun(run, this.#environment.signer);
  }

  /** Where this lane stands in `document`, as the vector of a replica that holds nothing else. */
  vector(document: DocumentId): VersionVector {
    const position = this.#positions.get(document);
    return new Map(position ? [[this.lane.id, position]] : []);
  }
}

/** The entry of the document that every replica derives from `name` in the open space. */
export function testDocument(environment: TestEnvironment, name: string): DocumentEntry {
  const { hash, clock } = environment;
  const parsed = parseDocumentName(name);
  const id = documentIdOf(hash, openSpaceId(hash), parsed);
  return { id, name: parsed, createdAt: { wallMs: clock.nowMs(), counter: 0 } };
}
