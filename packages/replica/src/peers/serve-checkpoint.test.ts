import type { DocumentId, LogStore } from "@heddle/core";
import { expect, test } from "vitest";

import { builderOn, Typist } from "../checkpoint.fixture.ts";
import { checkpointDocument } from "../checkpointer.ts";
import { environment } from "../replica.fixture.ts";
import { Holder, notesId } from "./adopt.fixture.ts";
import { ServedCheckpoints } from "./serve-checkpoint.ts";

async function written(count: number): Promise<{ holder: Holder; ann: Typist }> {
  const holder = await Holder.open();
  const ann = new Typist(7);
  for (let turn = 0; turn < count; turn++) await holder.write(ann.type(turn));
  return { holder, ann };
}

const piece = (checkpoint: Uint8Array, offset = 0, bytesMax = 64) => {
  return { document: notesId, checkpoint, offset, bytesMax };
};

test("[WIR-14] a document without checkpoints has none to offer, and costs two looks", async () => {
  const { holder } = await written(3);
  expect(await holder.served.held(notesId)).toEqual({ floors: new Map() });
  expect(await holder.served.read(piece(new Uint8Array(32)))).toEqual({ outcome: "gone" });
  await holder.close();
});

test("[WIR-14] pieces of any size add up to the vector and the state", async () => {
  const { holder } = await written(30);
  await holder.checkpoint();
  const { header, vector, payload } = await holder.offer(1);
  const [stored] = await holder.store.readCheckpoints(notesId);
  expect(vector).toEqual(stored!.vector[0]);
  expect(payload).toEqual(await holder.store.readCheckpointState(notesId, stored!.number));
  const end = vector.length + payload.length;
  expect(await holder.served.read(piece(header.id, end))).toMatchObject({
    outcome: "read",
    bytes: new Uint8Array(),
  });
  await holder.close();
});

test("[WIR-14] what was replaced is gone once it is not at hand, and the newest is offered", async () => {
  const { holder, ann } = await written(5);
  await holder.checkpoint();
  const first = await holder.offer();
  await holder.write(ann.type(99));
  await holder.checkpoint();
  const second = await holder.offer();
  expect(second.header.id).not.toEqual(first.header.id);
  // A peer that is in the middle of it may have the rest.
  expect(await holder.served.read(piece(first.header.id))).toMatchObject({ outcome: "read" });
  holder.served.clear();
  expect(await holder.served.read(piece(first.header.id))).toEqual({ outcome: "gone" });
  await holder.close();
});

test("[CKP-10] what is served stays in memory within a bound, the last one whatever its size", async () => {
  const { holder, ann } = await written(20);
  const { store, replica } = holder;
  const parts = { store, environment, access: replica.access };
  const ids: Uint8Array[] = [];
  for (let number = 0; number < 3; number++) {
    await checkpointDocument(builderOn(store), notesId);
    ids.push((await holder.served.held(notesId)).checkpoint!.header.id);
    await holder.write(ann.type(number));
  }
  const all = new ServedCheckpoints(parts);
  for (const id of ids) await all.read(piece(id));
  const small = new ServedCheckpoints({ ...parts, bytesMax: 10 });
  const sizes: number[] = [];
  for (const id of ids) {
    await Promise.all([small.read(piece(id)), small.read(piece(id, 5))]);
    sizes.push(small.bytes);
  }
  expect(sizes.every((bytes) => bytes > 10)).toBe(true);
  expect(all.bytes).toBe(sizes.reduce((sum, bytes) => sum + bytes, 0));
  await holder.close();
});

test("[WIR-14] what was built under recalls is not offered; what stands for the floors before it is", async () => {
  const { holder, ann } = await written(8);
  await holder.checkpoint();
  const before = await holder.offer();
  await holder.write(ann.type(1));
  const [last] = await envelopeIds(holder);
  const note = { reason: "test", validatorVersion: 1, atMs: 1 };
  await holder.store.append({ recall: [{ document: notesId, envelope: { ...last!, ...note } }] });
  await holder.checkpoint();
  expect(await holder.store.readCheckpoints(notesId)).toHaveLength(2);
  expect((await holder.offer()).header.id).toEqual(before.header.id);
  await holder.close();
});

async function envelopeIds({ store }: Holder) {
  const { decodeEnvelope, toHex } = await import("@heddle/core");
  const found = [];
  for await (const chunk of store.readLog(notesId)) {
    for (const { lane, seq, bytes } of chunk) {
      found.push({ lane, seq, id: toHex(decodeEnvelope(environment.hash, bytes).id) });
    }
  }
  return found;
}

test("[CKP-2] what is damaged on disk is not served", async () => {
  const { holder } = await written(8);
  await holder.checkpoint();
  const { header } = await holder.offer();
  const damaged: LogStore = new Proxy<LogStore>(holder.store, {
    get(target, property) {
      if (property === "readCheckpointState") {
        return async (document: DocumentId, number: number) => {
          const state = await holder.store.readCheckpointState(document, number);
          return state.with(5, state[5]! ^ 1);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { access } = holder.replica;
  const served = new ServedCheckpoints({ store: damaged, environment, access });
  expect(await served.read(piece(header.id))).toEqual({ outcome: "gone" });
  expect(served.bytes).toBe(0);
  await holder.close();
});
