import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  PayloadCodec,
  type DocumentEntry,
  type Envelope,
  type LanePosition,
  type LogStore,
} from "@heddle/core";
import * as Y from "yjs";

import { environment, notes, signer } from "./replica.fixture.ts";

/**
 * People who write one text, each in a lane of their own, and each time right into the middle of what
 * the one before has written: whatever order the lanes are read in, one after the other is wrong.
 */
export class InterleavedLanes {
  readonly entry: DocumentEntry;
  /** Fed with every update in the order in which it was made. */
  readonly reference = new Y.Doc();
  readonly envelopes: Envelope[] = [];
  readonly #store: LogStore;
  readonly #writers: { readonly lane: LaneWriter; readonly doc: Y.Doc; position?: LanePosition }[] =
    [];

  constructor(store: LogStore) {
    this.#store = store;
    const { hash } = environment;
    const id = documentIdOf(hash, openSpaceId(hash), notes);
    this.entry = { id, name: notes, createdAt: { wallMs: 1, counter: 0 } };
  }

  static async open(store: LogStore, lanes: number): Promise<InterleavedLanes> {
    const text = new InterleavedLanes(store);
    await store.append({ documents: [text.entry] });
    for (let index = 0; index < lanes; index++) await text.openLane();
    return text;
  }

  async openLane(): Promise<void> {
    const { hash, random } = environment;
    const clock = new HybridClock(environment.clock);
    const space = openSpaceId(hash);
    const lane = await openLane({ space, signer, hash, random, clock, engine: "test" });
    await this.#store.append({ lanes: [lane] });
    const doc = new Y.Doc();
    doc.clientID = 1000 - this.#writers.length;
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.reference));
    this.#writers.push({ lane: new LaneWriter(lane, hash, clock), doc });
  }

  get text(): string {
    return this.reference.getText("text").toString();
  }

  /** One word of one person, on top of all that was written before. */
  async type(who: number, word: string, deletes = false): Promise<Envelope> {
    const writer = this.#writers[who]!;
    const { doc } = writer;
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.reference, Y.encodeStateVector(doc)));
    const before = Y.encodeStateVector(doc);
    let payload: Uint8Array | undefined;
    const keep = (update: Uint8Array): void => void (payload = update);
    doc.once("update", keep);
    const text = doc.getText("text");
    doc.transact(() => {
      if (deletes && text.length > 4) text.delete(text.length >> 1, 2);
      text.insert(text.length >> 1, word);
    });
    payload ??= Y.encodeStateAsUpdate(doc, before);
    Y.applyUpdate(this.reference, payload);
    const envelope = writer.lane.seal(writer.position, {
      kind: EnvelopeKind.update,
      flags: 0,
      document: this.entry.id,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload,
    });
    writer.position = { seq: envelope.seq, head: envelope.id };
    this.envelopes.push(envelope);
    await this.#store.append({ envelopes: [envelope] });
    return envelope;
  }

  /** Takes turns. */
  async typeWords(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      await this.type(index % this.#writers.length, `w${index} `, index % 3 === 2);
    }
  }
}
