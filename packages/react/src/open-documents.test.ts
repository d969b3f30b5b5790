import { memoryStore } from "@heddle/client";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

import { OpenDocuments, type OpenDocument } from "./open-documents.ts";

// Nobody listens there: what is dialled fails, and is dialled again.
const url = "ws://127.0.0.1:1";
const wait = { timeout: 30_000 };
const releases: (() => void)[] = [];
afterEach(() => {
  for (const release of releases.splice(0)) release();
});

function hold(documents: OpenDocuments, name: string) {
  const shown: (OpenDocument | undefined)[] = [];
  const release = documents.hold(name, (document) => shown.push(document));
  releases.push(release);
  return { shown, release };
}

test("[CLT-8] two holders have one document, which goes a turn after the last of them", async () => {
  const documents = new OpenDocuments(url, { store: memoryStore(), connect: false }, undefined);
  const [one, two] = [hold(documents, "paper"), hold(documents, "paper")];
  const document = one.shown[0]!;
  expect(two.shown).toEqual([document]);
  one.release();
  two.release();
  const again = hold(documents, "paper");
  expect(again.shown).toEqual([document]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(document.ydoc.isDestroyed).toBe(false);
  again.release();
  await vi.waitFor(() => expect(document.ydoc.isDestroyed).toBe(true), wait);
  expect(hold(documents, "paper").shown[0]).not.toBe(document);
});

test("the newest getToken is asked, not that of the first rendering", async () => {
  const asked: string[] = [];
  const tokenOf = (name: string) => () => {
    asked.push(name);
    return name;
  };
  const options = {
    store: memoryStore(),
    WebSocketPolyfill: WebSocket,
    getToken: tokenOf("first"),
  };
  const documents = new OpenDocuments(url, options, undefined);
  hold(documents, "paper");
  await vi.waitFor(() => expect(asked).toContain("first"), wait);
  documents.renew({ getToken: tokenOf("second"), onTrouble: undefined });
  await vi.waitFor(() => expect(asked).toContain("second"), wait);
  expect(asked.lastIndexOf("first")).toBeLessThan(asked.indexOf("second"));
});

test("[LIV-8] after a reset another document is shown, and the trouble is told", async () => {
  const troubles: string[] = [];
  const options = { store: memoryStore(), connect: false };
  const documents = new OpenDocuments(url, options, ({ kind }) => troubles.push(kind));
  const { shown } = hold(documents, "paper");
  const [first] = shown;
  first!.ydoc.getText("text").insert(0, "kept");
  await first!.provider.whenSaved();
  let deep: unknown = "end";
  for (let depth = 0; depth < 70; depth++) deep = [deep];
  first!.ydoc.getMap("map").set("deep", deep);
  await vi.waitFor(() => expect(shown).toHaveLength(3), wait);
  expect(shown[1]).toBeUndefined();
  expect(shown[2]).not.toBe(first);
  await shown[2]!.provider.whenLoaded();
  expect(shown[2]!.ydoc.getText("text").toJSON()).toBe("kept");
  expect(troubles).toEqual(expect.arrayContaining(["refused", "reset"]));
  await vi.waitFor(() => expect(first!.ydoc.isDestroyed).toBe(true), wait);
});
