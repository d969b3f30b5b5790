import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { isRoutine, routineMax } from "./apply-risk.ts";
import { parseUpdate } from "./parse-update.ts";

function updatesOf(edit: (doc: Y.Doc) => void): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  edit(doc);
  return updates;
}

function isEachRoutine(edit: (doc: Y.Doc) => void): boolean {
  return updatesOf(edit).every((update) => isRoutine(parseUpdate(update)));
}

function isMergedRoutine(edit: (doc: Y.Doc) => void): boolean {
  return isRoutine(parseUpdate(Y.mergeUpdates(updatesOf(edit))));
}

function anHourOfWork(doc: Y.Doc): void {
  const text = doc.getText("text");
  for (const char of "hello") text.insert(text.length, char);
  text.insert(0, "x".repeat(20_000));
  text.format(100, 200, { bold: true });
  text.delete(0, 15_000);
  doc.getArray("cards").push(["a", { b: [1, 2] }, new Y.Map()]);
  doc.getMap("title").set("name", "notes");
  doc.getXmlFragment("page").push([new Y.XmlElement("p"), new Y.XmlText("hi")]);
}

function entries(count: number): (doc: Y.Doc) => void {
  return (doc) => {
    for (let index = 0; index < count; index++) doc.getMap("map").set(`${index}`, index);
  };
}

describe("[DOC-7] what goes straight into the log", () => {
  test("typing, formatting, pasting a page, deleting it, lists, maps and elements", () => {
    expect(isEachRoutine(anHourOfWork)).toBe(true);
  });
});

describe("[DOC-7] what is tried first", () => {
  test("structs of two clients", () => {
    const [ada, bo] = [new Y.Doc(), new Y.Doc()];
    ada.getText("text").insert(0, "ada");
    bo.getText("text").insert(0, "bo");
    const both = Y.mergeUpdates([ada, bo].map((doc) => Y.encodeStateAsUpdate(doc)));
    expect(isRoutine(parseUpdate(both))).toBe(false);
  });

  test("many structs, many deleted ranges, many bytes", () => {
    expect(isMergedRoutine(entries(routineMax.structs))).toBe(true);
    expect(isMergedRoutine(entries(routineMax.structs + 1))).toBe(false);
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "x".repeat(4 * routineMax.deleteRanges));
    const deletes = Y.encodeStateVector(doc);
    for (let index = 0; index <= routineMax.deleteRanges; index++)
      doc.getText("text").delete(index, 1);
    expect(isRoutine(parseUpdate(Y.encodeStateAsUpdate(doc, deletes)))).toBe(false);
    const large = "x".repeat(routineMax.bytes);
    expect(isEachRoutine((empty) => empty.getText("text").insert(0, large))).toBe(false);
  });

  test("a subdocument, whose options Yjs takes as they come", () => {
    expect(isEachRoutine((doc) => doc.getMap("docs").set("sub", new Y.Doc()))).toBe(false);
  });
});
