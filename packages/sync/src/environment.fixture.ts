import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";

import {
  documentId,
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
  type Hash,
  type LaneDescriptor,
  type LanePosition,
  type Signer,
  type Verifier,
} from "@heddle/core";

/** Real cryptography, everything else from a seed. The testkit cannot be used here: it uses sync. */
export const testHash: Hash = {
  sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};

export const testVerifier: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), devicePublicKey]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return verify(null, bytes, key, signature);
  },
};

export function seededSigner(seed: number): Signer {
  const secret = createHash("sha256").update(`device ${seed}`).digest();
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicDer = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    devicePublicKey: new Uint8Array(publicDer.subarray(-32)),
    sign: async (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
  };
}

const clock = { nowMs: () => 1_800_000_000_000, monotonicMs: () => 0 };

export function testEntry(text: string): DocumentEntry {
  const name = parseDocumentName(text);
  const id = documentIdOf(testHash, openSpaceId(testHash), name);
  return { id, name, createdAt: { wallMs: clock.nowMs(), counter: 0 } };
}

/** The id of the document of that number, of very many. */
export function seededDocument(index: number): DocumentId {
  const bytes = createHash("sha256").update(`document ${index}`).digest();
  return documentId(new Uint8Array(bytes.subarray(0, 16)));
}

/** A lane that seals runs in `entry`, each signed at its end. */
export class FixtureLane {
  readonly descriptor: LaneDescriptor;
  readonly entry: DocumentEntry;
  readonly #signer: Signer;
  readonly #writer: LaneWriter;
  #position: LanePosition | undefined;

  private constructor(descriptor: LaneDescriptor, signer: Signer, entry: DocumentEntry) {
    this.descriptor = descriptor;
    this.entry = entry;
    this.#signer = signer;
    this.#writer = new LaneWriter(descriptor, testHash, new HybridClock(clock));
  }

  static async open(seed: number, entry = testEntry("notes")): Promise<FixtureLane> {
    const signer = seededSigner(seed);
    const nonce = new Uint8Array(16).fill(seed);
    const descriptor = await openLane({
      space: openSpaceId(testHash),
      signer,
      hash: testHash,
      random: { bytes: () => nonce },
      clock: new HybridClock(clock),
      engine: "fixture",
    });
    return new FixtureLane(descriptor, signer, entry);
  }

  /** `payloadBytes` of each, two at least. */
  async run(length: number, salt = 0, payloadBytes = 2): Promise<Envelope[]> {
    const payload = new Uint8Array(payloadBytes);
    payload[0] = salt;
    const run = Array.from({ length }, () => {
      const envelope = this.#writer.seal(this.#position, {
        kind: EnvelopeKind.update,
        flags: 0,
        document: this.entry.id,
        epoch: 0,
        schema: 0,
        codec: PayloadCodec.yjsV1,
        payload,
      });
      this.#position = { seq: envelope.seq, head: envelope.id };
      return envelope;
    });
    return signRun(run, this.#signer);
  }

  /** Goes on as if nothing after `position` had been written: what a copied image does. */
  rewindTo(position: LanePosition | undefined): void {
    this.#position = position;
  }
}

/** A lane for each of so many documents: the same ones whenever it is asked. */
export async function lanesOf(count: number): Promise<FixtureLane[]> {
  const lanes: FixtureLane[] = [];
  for (let index = 0; index < count; index++) {
    lanes.push(await FixtureLane.open(index % 200, testEntry(`document ${index}`)));
  }
  return lanes;
}
