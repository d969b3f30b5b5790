import {
  documentId,
  encodeEnvelope,
  EnvelopeKind,
  laneId,
  noEnvelopeId,
  openSpaceId,
  PayloadCodec,
  type DocumentEntry,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";
import { expect, test } from "vitest";

import { environment } from "../replica.fixture.ts";
import { recentLimits, RecentEnvelopes } from "./recent-envelopes.ts";

// Goal: what is answered from memory is what the disk would say, or nothing is.

const { hash } = environment;
const id = documentId(new Uint8Array(16).fill(4));
const [a, b] = [laneId(new Uint8Array(16).fill(1)), laneId(new Uint8Array(16).fill(2))];
const bytesMax = 1_000_000;

function envelope(lane: LaneId, seq: number, payloadBytes = 3): Envelope {
  return encodeEnvelope(hash, {
    kind: EnvelopeKind.update,
    flags: 0,
    space: openSpaceId(hash),
    document: id,
    lane,
    seq,
    prev: noEnvelopeId,
    hlc: { wallMs: 1_800_000_000_000, counter: 0 },
    epoch: 0,
    schema: 0,
    codec: PayloadCodec.yjsV1,
    payload: new Uint8Array(payloadBytes),
  });
}

function stored(recent: RecentEnvelopes, envelopes: readonly Envelope[], document = id): void {
  const entry = { id: document } as DocumentEntry;
  recent.add({ arrival: 1, lane: {} as LaneDescriptor, documents: [{ entry, envelopes }] });
}

function read(
  recent: RecentEnvelopes,
  above: readonly (readonly [LaneId, number])[],
  upTo: readonly (readonly [LaneId, number])[],
): readonly string[] | undefined {
  const range = { document: id, above: new Map(above), upTo: new Map(upTo), bytesMax };
  return recent.read(range)?.map(({ lane, seq }) => `${lane === a ? "a" : "b"}${seq}`);
}

test("what a peer lacks comes in the order of arrival, of all lanes", () => {
  const recent = new RecentEnvelopes();
  stored(recent, [envelope(a, 7), envelope(b, 1)]);
  stored(recent, [envelope(a, 8)]);
  expect(read(recent, [[a, 6]], [[a, 8]])).toEqual(["a7", "b1", "a8"]);
  const above = [
    [a, 7],
    [b, 1],
  ] as const;
  expect(read(recent, above, [[a, 8]])).toEqual(["a8"]);
  // A lane that the peer is not to be given.
  const frozen = [
    [a, 6],
    [b, Number.MAX_SAFE_INTEGER],
  ] as const;
  expect(read(recent, frozen, [[a, 8]])).toEqual(["a7", "a8"]);
});

test("what lies before, behind or beside what is here is the disk's to say", () => {
  const recent = new RecentEnvelopes();
  expect(read(recent, [[a, 6]], [[a, 7]])).toBeUndefined();
  stored(recent, [envelope(a, 7), envelope(a, 8), envelope(b, 4)]);
  const others = [[b, 4]] as const;
  expect(read(recent, [[a, 5], ...others], [[a, 8]])).toBeUndefined();
  expect(read(recent, [[a, 7], ...others], [[a, 9]])).toBeUndefined();
  // Of b there is more than is here, and it may be the cause of what is asked for.
  expect(read(recent, [[a, 7]], [[a, 8]])).toBeUndefined();
  // A gap: something was written that nobody told.
  stored(recent, [envelope(a, 10)]);
  expect(read(recent, [[a, 7], ...others], [[a, 10]])).toBeUndefined();
  expect(read(recent, [[a, 9], ...others], [[a, 10]])).toEqual(["a10"]);
  recent.clear();
  expect(read(recent, [[a, 9], ...others], [[a, 10]])).toBeUndefined();
});

test("more than a reading may bring is left to the disk, which stops where it should", () => {
  const recent = new RecentEnvelopes();
  stored(recent, [envelope(a, 1, 600), envelope(a, 2, 600)]);
  const range = { document: id, above: new Map(), upTo: new Map([[a, 2]]), bytesMax: 1_000 };
  expect(recent.read(range)).toBeUndefined();
  expect(recent.read({ ...range, above: new Map([[a, 1]]) })).toHaveLength(1);
});

test("of one document the newest are kept, of all what was written to last", () => {
  const recent = new RecentEnvelopes();
  const { perDocumentMax } = recentLimits;
  for (let seq = 1; seq <= perDocumentMax * 3; seq++) stored(recent, [envelope(a, seq)]);
  const end = perDocumentMax * 3;
  expect(read(recent, [[a, end - 100]], [[a, end]])).toHaveLength(100);
  expect(read(recent, [[a, end - perDocumentMax - 1]], [[a, end]])).toBeUndefined();
  // Others fill the room.
  const large = recentLimits.bytesMax / 4;
  for (let index = 0; index < 6; index++) {
    const other = documentId(new Uint8Array(16).fill(20 + index));
    stored(recent, [envelope(a, 1, large)], other);
  }
  expect(read(recent, [[a, end - 100]], [[a, end]])).toBeUndefined();
  const last = { document: documentId(new Uint8Array(16).fill(25)), upTo: new Map([[a, 1]]) };
  expect(recent.read({ ...last, above: new Map(), bytesMax: large * 2 })).toHaveLength(1);
});
