import type { DialerStateName } from "@heddle/replica";
import { expect, test } from "vitest";

import { ClosedEvent, isTransient } from "./connection-events.ts";
import { ConnectionFace } from "./connection-face.ts";

// What y-websocket does itself is compared with it in test/interop; here is what only a shared connection does.

function newFace({ isWanted = true, shouldReconnect = isTransient } = {}) {
  const told: string[] = [];
  const wish = { isWanted };
  const face = new ConnectionFace({
    isWanted: () => wish.isWanted,
    shouldReconnect,
    onStatus: (status) => told.push(status),
    onClosed: (event) => told.push(`close ${event ? event.code : "here"}`),
    onSynced: (isSynced) => told.push(isSynced ? "synced" : "not synced"),
    onGivenUp: ({ code }) => {
      wish.isWanted = false;
      told.push(`given up ${code}`);
    },
    onRefusedYetWanted: () => told.push("retry"),
  });
  const follow = (...names: DialerStateName[]) => {
    for (const name of names) face.follow({ name, code: 4403 });
  };
  const heard = () => told.splice(0);
  return { face, follow, heard, wish };
}

const ended = new ClosedEvent(1006, "", false);

test("[CLT-9] a document that joins a connection of others is told of it as of its own", async () => {
  const { face, follow, heard, wish } = newFace({ isWanted: false });
  follow("dialing", "greeting", "live");
  expect(heard()).toEqual([]);
  wish.isWanted = true;
  expect(face.connect()).toBe(true);
  expect(heard()).toEqual(["connecting"]);
  await Promise.resolve();
  face.synced();
  expect(heard()).toEqual(["connected", "synced"]);
  expect(face.connect()).toBe(false);
});

test("[CLT-9] what is left is not taken for what is new when both come close together", async () => {
  const { face, follow, heard } = newFace();
  follow("dialing", "live");
  face.disconnect();
  expect(heard()).toEqual(["connected", "close here", "disconnected"]);
  face.connect();
  // The old connection still ends.
  await Promise.resolve();
  face.closed(ended);
  follow("waiting", "dialing", "live");
  expect(heard()).toEqual(["connecting", "connected"]);
});

test("[CLT-9] an end that the link reports and the engine shows is told once", () => {
  const { face, follow, heard } = newFace();
  follow("live");
  face.synced();
  face.closed(ended);
  follow("waiting");
  const end = ["close 1006", "not synced", "disconnected"];
  expect(heard()).toEqual(["connected", "synced", ...end]);
  expect(face.unsuccessful).toBe(1);
});

test("[CLT-9] beside the tab that has the connection an end that nobody explains is told, too", () => {
  const { follow, heard } = newFace();
  follow("idle");
  expect(heard()).toEqual([]);
  follow("live", "idle");
  expect(heard()).toEqual(["connected", "close 1006", "disconnected"]);
});

test.each([
  [isTransient, ["close 4403", "given up 4403"]],
  [() => true, ["close 4403", "retry"]],
] as const)(
  "[CLT-9] a refusal is for good unless the application wants more: %#",
  (asked, said) => {
    const { follow, heard } = newFace({ shouldReconnect: asked });
    follow("dialing", "refused");
    expect(heard()).toEqual(said);
  },
);

test("[CLT-9] a refusal after this side's own end is for good as well", () => {
  const { face, follow, heard } = newFace();
  follow("dialing", "greeting");
  face.closed(null);
  follow("refused");
  expect(heard()).toEqual(["close here", "given up 4403"]);
});
