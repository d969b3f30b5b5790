import type { DocumentId, DocumentName } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { Projection } from "../define-projection.ts";
import { collectRows } from "../document-rows.ts";
import { setCounters, shardedTotals } from "./counters.ts";
import { inbox, unreadCounts } from "./messages.ts";
import { notificationState } from "./notifications.ts";
import { bucketOf, rollups } from "./rollups.ts";
import { searchDocuments } from "./search-documents.ts";
import type { SharedTypes } from "./shared-types.ts";

const options = { name: "tested", owner: "tests" };
const document = { id: "00" as DocumentId, name: "room 1" as DocumentName };

function rowsOf(projection: Projection<SharedTypes>, edit: (ydoc: Y.Doc) => void): object {
  const ydoc = new Y.Doc();
  edit(ydoc);
  if (projection.kind !== "derive") throw new Error("it folds changes");
  return Object.fromEntries(collectRows("tested", projection.derive(ydoc, document)));
}

describe("built-in projections", () => {
  test("set-backed counters count active edges, each once, and pass over what is none", () => {
    const rows = rowsOf(setCounters(options), (ydoc) => {
      const edges = ydoc.getMap("edges");
      for (const edge of ["post 1/ada", "post 1/bo", "a/b/cy", "post 2/ada"]) edges.set(edge, true);
      edges.set("post 1/ada", true);
      edges.set("post 2/ada", false);
      edges.set("post 3/ada", "yes");
      edges.set("nobody", true);
      edges.set("\ud800/ada", true);
      edges.set(`${"x".repeat(300)}/ada`, true);
    });
    expect(rows).toEqual({ "post 1": 2, "a/b": 1 });
  });

  test("sharded totals add up whole numbers", () => {
    const rows = rowsOf(shardedTotals(options), (ydoc) => {
      const counters = ydoc.getMap("counters");
      counters.set("visits/phone", 3);
      counters.set("visits/desk", 4);
      counters.set("alone", 1);
      counters.set("visits/odd", 0.5);
      counters.set("visits/wrong", Number.NaN);
      counters.set("large/a", Number.MAX_SAFE_INTEGER);
      counters.set("large/b", Number.MAX_SAFE_INTEGER);
    });
    expect(rows).toEqual({ visits: 7, alone: 1, large: Number.MAX_SAFE_INTEGER });
  });

  test("unread counts are messages of others behind the cursor", () => {
    expect(rowsOf(unreadCounts(options), talk)).toEqual({ ada: 1, bo: 1, cy: 3 });
  });

  test("an inbox shows the last message of each conversation to each member", () => {
    const rows = rowsOf(inbox(options), talk) as Record<string, unknown>;
    const line = {
      conversation: "room 1",
      lastAtMs: 30,
      lastFrom: "ada",
      preview: "x".repeat(119),
    };
    expect(rows["bo"]).toEqual([{ ...line, unread: 1 }]);
    expect(rows["cy"]).toEqual([{ ...line, unread: 3 }]);
    const empty = rowsOf(inbox(options), (ydoc) => ydoc.getMap("members").set("ada", 1));
    expect(empty).toMatchObject({ ada: [{ lastAtMs: 0, preview: "" }] });
  });

  test("notification state is what was not seen, with the newest of it", () => {
    const rows = rowsOf(notificationState(options), (ydoc) => {
      ydoc
        .getArray("notices")
        .push([
          { to: "ada", atMs: 10, text: "old" },
          { to: "ada", atMs: 30, text: "new" },
          { to: "ada", atMs: 20, text: "between" },
          { to: "bo", atMs: 5, text: "seen" },
          { to: 7, atMs: 5 },
          { to: "ada" },
        ]);
      ydoc.getMap("seen").set("ada", 10);
      ydoc.getMap("seen").set("bo", 5);
    });
    expect(rows).toEqual({ ada: { unseen: 2, latest: { atMs: 30, text: "new" } } });
  });

  test("search documents hold title and text, and nothing of an empty page", () => {
    const rows = rowsOf(searchDocuments(options), (ydoc) => {
      ydoc.getText("text").insert(0, "one two");
      ydoc.getMap("meta").set("title", "Numbers");
    });
    expect(rows).toEqual({ "room 1": { title: "Numbers", text: "one two" } });
    expect(rowsOf(searchDocuments(options), () => undefined)).toEqual({});
    const worst = rowsOf(searchDocuments(options), (ydoc) => {
      ydoc.getText("text").insert(0, "\u0001".repeat(50_000));
    });
    expect(worst).toMatchObject({ "room 1": { title: "" } });
  });

  test("rollups name their buckets by the clock reading of a change", () => {
    const projection = rollups({ ...options, bucketMs: 3_600_000 });
    if (projection.kind !== "fold") throw new Error("it derives");
    const hlc = { wallMs: Date.UTC(2026, 10, 20, 13, 59, 59, 999), counter: 0 };
    const change = { id: new Uint8Array(32), document, lane: "11" as never, seq: 1, hlc };
    expect([...projection.fold({ ...change, update: new Uint8Array(7) })]).toEqual([
      ["2026-11-20T13:00:00.000Z changes", 1],
      ["2026-11-20T13:00:00.000Z bytes", 7],
    ]);
  });

  test("bucket names are dates as everybody writes them", () => {
    const moments = [0, 951_782_399_999, 951_782_400_000, 4_107_542_399_000, Date.UTC(2024, 1, 29)];
    for (const moment of moments) expect(bucketOf(moment, 1)).toBe(new Date(moment).toISOString());
    for (let day = 0; day < 40_000; day += 17) {
      expect(bucketOf(day * 86_400_000, 1000)).toBe(new Date(day * 86_400_000).toISOString());
    }
  });
});

function talk(ydoc: Y.Doc): void {
  ydoc
    .getArray("messages")
    .push([
      { id: "1", from: "ada", atMs: 10, text: "hello" },
      { id: "2", from: "bo", atMs: 20, text: "hi" },
      "nonsense",
      { id: "3", from: "ada", atMs: 30, text: `${"x".repeat(119)}😀` },
    ]);
  for (const person of ["ada", "bo", "cy", "\ud800"]) ydoc.getMap("members").set(person, true);
  ydoc.getMap("read").set("bo", "2");
  ydoc.getMap("read").set("cy", "gone");
}
