import { MessageChannel, type MessagePort } from "node:worker_threads";

import { HeddleErrorCode } from "@heddle/core";
import { MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { serveProjectionStore, ServedProjectionStore, type StoreChannel } from "./served-store.ts";

// Goal: what happens to a channel happens to those who ask over it, and to nobody else.
// Method: a channel of Node's that is cut, that cannot carry a message, and that carries what is somebody else's.

function channelOver(port: MessagePort): StoreChannel {
  const heard = (event: "message" | "close", listener: (message: unknown) => void) => {
    port.on(event, listener);
    return () => void port.off(event, listener);
  };
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => heard("message", listener),
    onClose: (listener) => heard("close", listener),
  };
}

/** A store that is open here and used over a channel, as another thread would. */
async function openServed() {
  const { clock } = testEnvironment();
  const owner = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
  const { port1, port2 } = new MessageChannel();
  const stop = serveProjectionStore(owner, channelOver(port1));
  const store = new ServedProjectionStore(channelOver(port2));
  const close = store.close.bind(store);
  store.close = async () => {
    await close();
    stop();
    port1.close();
    await owner.close();
  };
  return { store, owner, port1, port2 };
}

const put = { path: ["row", "a"], value: Uint8Array.of(1) };

test("an end that is gone fails what waits for it, and whatever is asked afterwards", async () => {
  const { port1, port2 } = new MessageChannel();
  const store = new ServedProjectionStore(channelOver(port2));
  const cut = store.apply({ put: [put] });
  port1.close();
  await expect(cut).rejects.toMatchObject({ code: HeddleErrorCode.storageClosed });
  await expect(store.get([["row"]])).rejects.toMatchObject({ code: HeddleErrorCode.storageClosed });
});

test("a message that cannot be sent fails its own question alone", async () => {
  const { store } = await openServed();
  const odd = { ...put, note: () => undefined };
  await expect(store.apply({ put: [odd] })).rejects.toMatchObject({
    code: HeddleErrorCode.storageIo,
  });
  expect(await store.apply({ put: [put] })).toBe("applied");
  await store.close();
});

const of = "heddle/projections/1";

test("what somebody else answers over the channel is taken for no answer", async () => {
  const { store, owner, port1 } = await openServed();
  const asked = store.get([put.path]);
  // Numbers are given by everybody: only ours are ours.
  for (const message of [
    { id: 1, value: "of another protocol" },
    { id: 1, error: { message: "of another protocol" } },
    { answerOf: of, id: 1, error: "no error" },
    { answerOf: of, id: "1", value: "no number" },
  ]) {
    port1.postMessage(message);
  }
  expect(await asked).toEqual([undefined]);
  await store.apply({ put: [put] });
  expect(await owner.get([put.path])).toEqual([put.value]);
  await store.close();
});

test("what is no question of a store is nobody's, and no method but the port's can be called", async () => {
  const { store, owner, port1, port2 } = await openServed();
  for (const message of [
    undefined,
    "hello",
    {},
    { of, id: 1, method: "close", args: [] },
    { of, id: 1, method: "constructor", args: [] },
    { of, id: "1", method: "get", args: [[]] },
    { of, id: 1, method: "get" },
    { id: 1, method: "get", args: [[]] },
  ]) {
    port2.postMessage(message);
    port1.postMessage(message);
  }
  await store.apply({ put: [put] });
  expect(await owner.get([put.path])).toEqual([put.value]);
  await store.close();
});
