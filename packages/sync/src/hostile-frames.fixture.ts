import {
  concatBytes,
  encodeCheckpointVector,
  hashCheckpointVector,
  openSpaceId,
  PayloadCodec,
  signCheckpoint,
  type DocumentEntry,
  type Envelope,
} from "@heddle/core";
import * as fc from "fast-check";

import { FixtureLane, seededSigner, testEntry, testHash } from "./environment.fixture.ts";
import type { Frame } from "./frame.ts";
import { countingBytes, helloWith } from "./frames.fixture.ts";
import { libraryFrame } from "./library-check.ts";
import type { LibraryNode } from "./library-node.ts";
import { nakCheck } from "./nak-code.ts";
import { packEnvelope } from "./packed-envelope.ts";

export const hostileSeed = 66;

/** What a hostile peer has to lie with; made once. */
export interface Arsenal {
  readonly entries: readonly DocumentEntry[];
  readonly lanes: readonly FixtureLane[];
  /** Of its own lane, of a fork of that, both after each other, and what the honest peer wrote. */
  readonly runs: readonly (readonly Envelope[])[];
  readonly header: Uint8Array;
  readonly checkpointId: Uint8Array;
}

export async function arm(honest: FixtureLane, written: readonly Envelope[]): Promise<Arsenal> {
  const own = await FixtureLane.open(hostileSeed, honest.entry);
  const first = await own.run(6);
  own.rewindTo({ seq: first[1]!.seq, head: first[1]!.id });
  const fork = await own.run(4, 9);
  const vector = new Map([[honest.descriptor.id, { seq: 90, head: first[0]!.id }]]);
  const chunks = encodeCheckpointVector({ vector, clients: new Map() });
  const payload = countingBytes(100);
  const header = await signCheckpoint(testHash, seededSigner(hostileSeed), {
    space: openSpaceId(testHash),
    document: honest.entry.id,
    builtAt: honest.entry.createdAt,
    engine: "test",
    codec: PayloadCodec.yjsV1,
    lanes: 1,
    digestL: countingBytes(32),
    vectorHash: hashCheckpointVector(testHash, chunks),
    digestS: testHash.sha256(payload),
    digestC: countingBytes(32),
    payloadHash: testHash.sha256(concatBytes([payload, payload])),
    payloadBytes: payload.length,
    stateBytes: payload.length,
    heldEnvelopes: 0,
  });
  return {
    entries: [honest.entry, testEntry("another"), testEntry("third")],
    lanes: [own, honest],
    runs: [first, fork, [...first.slice(0, 2), ...fork], written],
    header: header.bytes,
    checkpointId: header.id,
  };
}

const ref = fc.constantFrom(0, 0, 0, 1, 2);
const laneRef = fc.constantFrom(0, 1, 1, 2);
/** Where the lane of the honest peer goes on. */
export interface NextPlace {
  readonly seq: number;
  readonly prev: Uint8Array;
}

const index = fc.nat({ max: 9 });
const seq = fc.constantFrom(0, 1, 2, 3, 5, 64, 2 ** 31, Number.MAX_SAFE_INTEGER);
const flags = fc.nat({ max: 7 });

/** One frame: which, and four numbers that say what is in it. */
export const frameDraw = fc.record({
  name: fc.constantFrom(
    ...(["open", "open", "close", "lane", "lane", "have", "have", "pull", "push", "push"] as const),
    ...(["push", "ack", "nak", "fork", "offer", "get", "data", "digest", "credit"] as const),
    ...(["ping", "pong", "unknownRef", "ephemeral", "cursor", "mark", "hello", "auth"] as const),
    ...(["bye", "parts", "garbage", "library", "library", "offering", "refused"] as const),
  ),
  ref,
  laneRef,
  index,
  seq,
  flags,
});
export type FrameDraw = typeof frameDraw extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** `undefined` for bytes that are no frame. */
export function frameOf(arsenal: Arsenal, draw: FrameDraw, next: NextPlace): Frame | undefined {
  if (draw.name === "push" || draw.name === "parts") return pushDrawn(arsenal, draw, next);
  if (draw.name === "library") return libraryDrawn(arsenal, draw);
  return aboutDocument(arsenal, draw) ?? aboutCheckpoint(arsenal, draw) ?? aboutSession(draw);
}

/** A library of a few documents, one of them that of the honest peer, or nothing but the beginning. */
function libraryDrawn(
  { entries }: Arsenal,
  { index: drawn, flags: bits, seq: at }: FrameDraw,
): Frame {
  const leaf = entries.map(({ id }) => ({ document: id, digest: countingBytes(16, drawn) }));
  const children = Array.from({ length: 16 }, (_, i) =>
    i % 3 === 0 ? countingBytes(16, i) : undefined,
  );
  const places = ["", "a", "3f"].slice(0, bits);
  const nodes = places.map((prefix, index): LibraryNode => {
    if ((drawn + index) % 2 === 0) return { kind: "leaf", prefix, entries: leaf };
    return { kind: "branch", prefix, children };
  });
  const wanted = bits % 2 === 0 ? entries.map(({ id }) => id) : [];
  const step = at > 64 ? 0 : at;
  const said = { comparison: 1, step, root: countingBytes(16), documents: at, flags: bits & 1 };
  return libraryFrame(testHash, { ...said, nodes: step === 0 ? [] : nodes, wanted });
}

function aboutDocument(arsenal: Arsenal, draw: FrameDraw): Frame | undefined {
  const { entries, lanes } = arsenal;
  const { ref: documentRef, laneRef, flags: bits, seq: at } = draw;
  const entry = entries[draw.index % entries.length]!;
  const lane = lanes[draw.index % lanes.length]!.descriptor;
  const head = headOf(arsenal, draw);
  switch (draw.name) {
    case "open": {
      const createdAt = countingBytes(8);
      return { name: "open", documentRef, document: entry.id, createdAt, documentName: entry.name };
    }
    case "close":
      return { name: "close", documentRef };
    case "refused":
      return { name: "refused", document: entry.id, code: bits };
    case "lane":
      return { name: "lane", laneRef, descriptor: lane.bytes };
    case "have": {
      const digest = countingBytes(32, draw.index);
      const positions = lanes.map(({ descriptor }) => ({ lane: descriptor.id, seq: at, head }));
      return { name: "have", documentRef, digest, flags: bits, positions, checkpoint: undefined };
    }
    case "pull":
      return { name: "pull", documentRef, lane: lane.id, fromSeq: at, toSeq: Math.max(at, bits) };
    case "ack":
      return { name: "ack", documentRef, positions: [{ laneRef, seq: at, head }] };
    case "nak": {
      const code = bits % 5;
      const check = nakCheck(testHash, { document: entry.id, lane: lane.id, seq: at, code });
      return { name: "nak", documentRef, lane: lane.id, seq: at, code, reason: "no", check };
    }
    default:
      return undefined;
  }
}

function headOf({ runs }: Arsenal, { index: drawn }: FrameDraw): Uint8Array {
  return drawn % 2 === 0 ? countingBytes(8) : runs[0]![0]!.id.subarray(0, 8);
}

/** A run as it is, or said to be what comes next in the lane of the honest peer. */
function pushDrawn({ lanes, runs }: Arsenal, draw: FrameDraw, next: NextPlace): Frame {
  const { ref: documentRef, laneRef: ofRun, flags: bits, seq: at } = draw;
  const run = runs[draw.index % runs.length]!.slice(bits % 4);
  const [first] = run;
  const lane = lanes.find(({ descriptor }) => descriptor.id === first?.lane) ?? lanes[0]!;
  const envelopes = run.map((envelope) => packEnvelope(envelope, lane.descriptor));
  const isNext = draw.index > 4;
  const place = isNext ? next : { seq: first?.seq ?? at, prev: first?.prev };
  const firstSeq = at > 64 ? at : place.seq;
  const prev = bits > 3 ? undefined : place.prev;
  const said = { firstSeq, prev, envelopes, flags: bits & 1 };
  return { name: "push", documentRef, laneRef: isNext ? 1 : ofRun, ...said };
}

function aboutCheckpoint(arsenal: Arsenal, draw: FrameDraw): Frame | undefined {
  const { checkpointId: checkpoint, header, lanes, runs } = arsenal;
  const { ref: documentRef, flags: bits, seq: at } = draw;
  switch (draw.name) {
    case "fork": {
      const lane = lanes[draw.index % lanes.length]!.descriptor.bytes;
      const branchA = bytesOf(runs[0]!.slice(2));
      const branchB = bytesOf(runs[draw.index % runs.length]!.slice(bits % 3));
      return { name: "fork", documentRef, lane, branchA, branchB };
    }
    case "offer": {
      const common = { documentRef, header, attestations: [], flags: bits & 1 };
      return { name: "checkpointOffer", ...common, vectorBytes: 100 };
    }
    case "get":
      return { name: "checkpointGet", documentRef, checkpoint, firstChunk: at, flags: bits & 1 };
    case "data": {
      const bytes = countingBytes(bits > 3 ? 200 : 17);
      return { name: "checkpointData", documentRef, checkpoint, chunk: draw.index % 3, bytes };
    }
    case "digest": {
      const [log, state] = [countingBytes(32), countingBytes(32, 5)];
      const said = { log, state, content: undefined, flags: bits & 1, engine: "test" };
      return { name: "digest", documentRef, ...said };
    }
    default:
      return undefined;
  }
}

function bytesOf(run: readonly Envelope[]): Uint8Array[] {
  return run.map(({ bytes }) => bytes);
}

function aboutSession({ name, ref: documentRef, index: token, seq: at, flags: bits }: FrameDraw) {
  switch (name) {
    case "credit":
      return { name, totalBytes: at };
    case "ping":
      return { name, token, sentBytes: at };
    case "pong":
      return { name, token };
    case "unknownRef":
      return { name, kind: 1 + (bits % 2), ref: documentRef };
    case "ephemeral":
      return { name, documentRef, payload: countingBytes(20) };
    case "cursor":
      return { name, incarnation: undefined, arrival: at, check: undefined };
    case "mark":
      return { name, incarnation: countingBytes(16), arrival: at, check: countingBytes(8) };
    case "hello":
      return helloWith({ space: openSpaceId(testHash) });
    case "auth":
      return { name, signature: countingBytes(64), proof: new Uint8Array() };
    case "offering":
      return { name, documents: at };
    case "bye":
      return { name, code: 1013, reason: "" };
    default:
      return undefined;
  }
}
