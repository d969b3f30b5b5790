import { describe, expect, test } from "vitest";

import { fromHex, toHex } from "./bytes.ts";
import { ed25519, seededSigner, SetClock, sha256 } from "./environment.fixture.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  envelopeVersion,
  type EnvelopeContent,
} from "./envelope.ts";
import { golden } from "./golden.fixture.ts";
import { decodeHlc, encodeHlc, HybridClock, type Hlc } from "./hybrid-clock.ts";
import { documentId, laneId, spaceId } from "./ids.ts";
import { decodeLane, openLane, verifyLane } from "./lane.ts";
import { signRun, verifyRun } from "./run.ts";
import { decodeVersionVector, encodeVersionVector, logDigest } from "./version-vector.ts";

// Goal: no format changes without its version, and bytes of old versions stay readable.
// Method: test/fixtures/core holds what each version wrote, made once from the inputs beside it. A
// failure here means that stores and peers in the field would no longer be understood: give the
// format a new version and add a file, never edit one.

interface GoldenEnvelope {
  readonly content: GoldenContent;
  readonly id: string;
  readonly bytes: string;
}

interface GoldenSignedEnvelope extends GoldenEnvelope {
  readonly deviceSeed: string;
  readonly devicePublicKey: string;
  readonly signature: string;
}

interface GoldenLane {
  readonly deviceSeed: string;
  readonly devicePublicKey: string;
  readonly nonce: string;
  readonly space: string;
  readonly openedAt: Hlc;
  readonly engine: string;
  readonly id: string;
  readonly bytes: string;
}

interface GoldenVector {
  readonly lanes: Readonly<Record<string, { readonly seq: number; readonly head: string }>>;
  readonly digest: string;
  readonly bytes: string;
}

/** An {@link EnvelopeContent} whose bytes are hex. */
type GoldenContent = {
  readonly [Key in keyof EnvelopeContent]: EnvelopeContent[Key] extends Uint8Array | undefined
    ? string
    : EnvelopeContent[Key];
};

describe("the format cannot change without its version", () => {
  const envelopes = ["", "-source-tag"].flatMap((addition) => {
    return golden<GoldenEnvelope[]>(`envelope-v${envelopeVersion}${addition}`);
  });
  test.each(envelopes)("[LOG-2] envelope, kind $content.kind", ({ content, id, bytes }) => {
    const envelope = encodeEnvelope(sha256, contentOf(content));
    expect([toHex(envelope.bytes), toHex(envelope.id)]).toEqual([bytes, id]);
    const { id: idRead, signature, bytes: bytesRead, ...read } = decodeEnvelope(sha256, hex(bytes));
    expect(toHex(idRead)).toBe(id);
    expect(signature).toBeUndefined();
    expect(toHex(bytesRead)).toBe(bytes);
    expect(read).toEqual(contentOf(content));
  });

  test("[LOG-2] signed envelope", async () => {
    const { deviceSeed, devicePublicKey, content, id, signature, bytes } =
      golden<GoldenSignedEnvelope>(`signed-envelope-v${envelopeVersion}`);
    const signer = seededSigner(deviceSeed);
    expect(toHex(signer.devicePublicKey)).toBe(devicePublicKey);
    const [signed] = await signRun([encodeEnvelope(sha256, contentOf(content))], signer);
    expect(toHex(signed!.bytes)).toBe(bytes);
    const read = decodeEnvelope(sha256, hex(bytes));
    expect([toHex(read.id), toHex(read.signature!)]).toEqual([id, signature]);
    expect(await verifyRun([read], hex(devicePublicKey), ed25519)).toBe(true);
  });

  test("[LOG-1] lane descriptor", async () => {
    const { deviceSeed, devicePublicKey, nonce, space, openedAt, engine, id, bytes } =
      golden<GoldenLane>("lane-v1");
    const lane = await openLane({
      space: spaceId(hex(space)),
      signer: seededSigner(deviceSeed),
      hash: sha256,
      random: { bytes: () => hex(nonce) },
      clock: new HybridClock(new SetClock(openedAt.wallMs)),
      engine,
    });
    expect([toHex(lane.bytes), lane.id]).toEqual([bytes, id]);
    const read = decodeLane(sha256, hex(bytes));
    expect(read).toMatchObject({ id, space, openedAt, engine });
    expect(toHex(read.devicePublicKey)).toBe(devicePublicKey);
    expect(await verifyLane(read, ed25519)).toBe(true);
  });

  test.each(golden<GoldenVector[]>("version-vector-v1"))(
    "[LOG-2] version vector and digest L, $digest",
    ({ lanes, digest, bytes }) => {
      const vector = new Map(
        Object.entries(lanes).map(([lane, { seq, head }]) => {
          return [laneId(hex(lane)), { seq, head: hex(head) }];
        }),
      );
      expect(toHex(encodeVersionVector(vector))).toBe(bytes);
      expect(decodeVersionVector(hex(bytes))).toEqual(vector);
      expect(toHex(logDigest(sha256, vector))).toBe(digest);
    },
  );

  test.each(golden<(Hlc & { readonly bytes: string })[]>("hlc-v1"))(
    "[LOG-1] clock reading $bytes",
    ({ bytes, ...hlc }) => {
      expect(toHex(encodeHlc(hlc))).toBe(bytes);
      expect(decodeHlc(hex(bytes))).toEqual(hlc);
    },
  );
});

function contentOf(content: GoldenContent): EnvelopeContent {
  const optional = (text: string | undefined) => (text === undefined ? undefined : hex(text));
  return {
    ...content,
    space: spaceId(hex(content.space)),
    document: documentId(hex(content.document)),
    lane: laneId(hex(content.lane)),
    prev: hex(content.prev),
    payload: hex(content.payload),
    correlationId: optional(content.correlationId),
    principal: optional(content.principal),
    reason: optional(content.reason),
    sourceTag: optional(content.sourceTag),
  };
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`no hex: ${text}`);
  return bytes;
}
