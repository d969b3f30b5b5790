import {
  documentIdOf,
  EnvelopeFlag,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
} from "@heddle/core";
import { ephemeralDeviceKey } from "@heddle/replica/node";
import * as Y from "yjs";

const draft = {
  kind: EnvelopeKind.update,
  flags: EnvelopeFlag.viaGateway,
  epoch: 0,
  schema: 0,
  codec: PayloadCodec.yjsV1,
} as const;

/** Documents of one append. */
const atOnce = 500;

export interface WrittenDocument {
  readonly name: string;
  readonly update: Uint8Array;
}

/** Writes documents of one envelope each, and puts them to rest: a relay keeps where they stand when they are closed. */
export async function writeDocuments(
  store: LogStore,
  { hash, random, clock: wall }: Pick<Environment, "hash" | "random" | "clock">,
  documents: readonly WrittenDocument[],
): Promise<void> {
  const space = openSpaceId(hash);
  const clock = new HybridClock(wall);
  const signer = ephemeralDeviceKey();
  const lane = await openLane({ space, signer, hash, random, clock, engine: "bench" });
  const writer = new LaneWriter(lane, hash, clock);
  for (let from = 0; from < documents.length; from += atOnce) {
    const written = documents.slice(from, from + atOnce).map(({ name: text, update }) => {
      const name = parseDocumentName(text);
      const id = documentIdOf(hash, space, name);
      const sealed = writer.seal(undefined, { ...draft, document: id, payload: update });
      const position: LanePosition = { seq: sealed.seq, head: sealed.id };
      return { entry: { id, name, createdAt: clock.tick() }, sealed, position };
    });
    await store.append({
      lanes: [lane],
      documents: written.map(({ entry }) => entry),
      envelopes: written.map(({ sealed }) => sealed),
    });
    await store.append({
      vectors: written.map(({ entry, position }) => ({
        document: entry.id,
        vector: new Map<LaneId, LanePosition>([[lane.id, position]]),
      })),
    });
  }
}

/** One update that says that so many people like something. */
export function likes(people: number): Uint8Array {
  const doc = new Y.Doc();
  for (let person = 0; person < people; person++) doc.getMap("likes").set(`person ${person}`, true);
  const update = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  return update;
}
