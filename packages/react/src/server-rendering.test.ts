import { createElement, type ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";

import {
  HeddleRoot,
  useArray,
  useAwareness,
  useDocument,
  useMap,
  useOutbox,
  useSaved,
  useStatus,
  useSynced,
  useText,
  useUndo,
} from "./index.ts";

function Page(): ReactNode {
  const document = useDocument("paper");
  const facts = {
    isOpen: document !== undefined,
    text: useText(document, "text") ?? null,
    map: useMap(document, "map") ?? null,
    array: useArray(document, "array") ?? null,
    others: useAwareness(document).others.size,
    status: useStatus(document),
    isSynced: useSynced(document),
    saved: useSaved(document),
    pending: useOutbox(document).pending,
    canUndo: useUndo(document, "text").canUndo,
  };
  return createElement("pre", null, JSON.stringify(facts));
}

test("[CLT-8] a server renders what there is before a document is open, and opens none", () => {
  const html = renderToString(
    createElement(HeddleRoot, { url: "ws://127.0.0.1:1" }, createElement(Page)),
  );
  const facts: unknown = JSON.parse(html.replace(/<\/?pre>/g, "").replaceAll("&quot;", '"'));
  expect(facts).toEqual({
    isOpen: false,
    text: null,
    map: null,
    array: null,
    others: 0,
    status: "disconnected",
    isSynced: false,
    saved: false,
    pending: 0,
    canUndo: false,
  });
});

test("a hook outside a HeddleRoot says so", () => {
  expect(() => renderToString(createElement(Page))).toThrow("HeddleRoot");
});
