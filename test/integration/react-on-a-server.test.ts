import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";

import { App, Note } from "../e2e/pages/react-note.ts";

// Goal: a server renders an application as a browser will before its documents are open.
// Method: the component that Chromium shows in test/e2e, in Node, where opening anything would dial.

const note = { name: "paper", person: "Ada" };

test("[CLT-8] a server renders what there is before a document is open, and opens none", () => {
  const html = renderToString(createElement(App, { url: "ws://127.0.0.1:1", ...note }));
  const json = /<pre id="facts">(.*)<\/pre>/.exec(html)?.[1] ?? "";
  const facts: unknown = JSON.parse(json.replaceAll("&quot;", '"'));
  expect(facts).toEqual({
    name: null,
    text: null,
    count: null,
    list: null,
    others: [],
    status: "disconnected",
    isSynced: false,
    saved: false,
    pending: 0,
    canUndo: false,
    canUndoList: false,
    trouble: null,
  });
});

test("a hook outside a HeddleRoot says so", () => {
  expect(() => renderToString(createElement(Note, note))).toThrow("HeddleRoot");
});
