import { expect, test } from "vitest";

import { gatedStore } from "./gated-store.ts";
import { startRelay } from "./relay-under-test.ts";
import { connect, sleep, synced, until } from "./stock-client.ts";

test("[RLY-1] while the disk is busy nobody is shown anything, and then all of it", async () => {
  const gate = await gatedStore();
  await using relay = await startRelay(gate.store);
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  gate.hold();
  ada.text.insert(0, "thread");
  await until(() => gate.waiting === 1, "the update waits for the disk");
  using late = connect(relay.url, "notes");
  await synced(late);
  await sleep(50);
  expect([bo.text.toString(), late.text.toString()]).toEqual(["", ""]);
  gate.release();
  await until(() => bo.text.toString() === "thread", "it is shown");
  await until(() => late.text.toString() === "thread", "it is shown to who came meanwhile");
});

test("[RLY-6] a caret waits for the text that it stands behind", async () => {
  const gate = await gatedStore();
  await using relay = await startRelay(gate.store);
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const caretAtBo = (): unknown =>
    bo.provider.awareness.getStates().get(ada.ydoc.clientID)?.["caret"];
  const seen: [unknown, string][] = [];
  bo.provider.awareness.on("change", () => seen.push([caretAtBo(), bo.text.toString()]));
  gate.hold();
  ada.text.insert(0, "thread");
  ada.provider.awareness.setLocalStateField("caret", 6);
  await until(() => gate.waiting === 1, "the update waits for the disk");
  await sleep(50);
  expect(caretAtBo()).toBeUndefined();
  gate.release();
  await until(() => caretAtBo() === 6, "the caret arrives");
  expect(seen.filter(([caret]) => caret === 6)).toEqual([[6, "thread"]]);
});

for (const isWritten of [true, false]) {
  const what = isWritten ? "after the batch was written" : "before anything was written";
  test(`[STO-4] a disk that fails ${what} loses and doubles nothing`, async () => {
    const gate = await gatedStore();
    await using relay = await startRelay(gate.store, { limits: { refusalDelayMs: 10 } });
    using ada = connect(relay.url, "notes");
    using bo = connect(relay.url, "notes");
    await Promise.all([synced(ada), synced(bo)]);
    ada.text.insert(0, "before ");
    await until(() => bo.text.length === 7, "the first part arrives");
    gate.failNext({ isWritten });
    ada.text.insert(7, "after");
    await until(() => bo.text.toString() === "before after", "the clients came back by themselves");
    expect(relay.replica.counters.resets).toBe(1);
    using late = connect(relay.url, "notes");
    await synced(late);
    expect(late.text.toString()).toBe("before after");
  });
}
