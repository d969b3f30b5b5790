import { expect, test } from "vitest";
import * as Y from "yjs";

import { capture, holds } from "./footprint.ts";
import { textOf } from "./stock-client.ts";

test("a delete-only transaction is held only once its deletes arrived", () => {
  const author = new Y.Doc();
  const reader = new Y.Doc();
  const written = capture(author, () => textOf(author).insert(0, "weft"));
  Y.applyUpdate(reader, written.update!);

  const cut = capture(author, () => textOf(author).delete(1, 2));
  // The state vectors agree although the delete has not arrived.
  expect(Y.encodeStateVector(reader)).toEqual(Y.encodeStateVector(author));
  expect(holds(reader, cut.footprint)).toBe(false);
  Y.applyUpdate(reader, cut.update!);
  expect(holds(reader, cut.footprint)).toBe(true);
});

test("half of a deleted range is not enough", () => {
  const author = new Y.Doc();
  const reader = new Y.Doc();
  Y.applyUpdate(reader, capture(author, () => textOf(author).insert(0, "weft")).update!);
  const half = capture(reader, () => textOf(reader).delete(0, 2));
  const whole = capture(author, () => textOf(author).delete(0, 4));
  expect(holds(reader, whole.footprint)).toBe(false);
  expect(holds(author, half.footprint)).toBe(true);
});

test("an insert that is parked for want of an earlier one is not held", () => {
  const author = new Y.Doc();
  const reader = new Y.Doc();
  const first = capture(author, () => textOf(author).insert(0, "a"));
  const second = capture(author, () => textOf(author).insert(1, "b"));
  Y.applyUpdate(reader, second.update!);
  expect(holds(reader, second.footprint)).toBe(false);
  Y.applyUpdate(reader, first.update!);
  expect(holds(reader, second.footprint)).toBe(true);
});

test("a transaction that changes nothing has no update and is held by all who hold its past", () => {
  const author = new Y.Doc();
  const empty = capture(author, () => {});
  expect(empty.update).toBeUndefined();
  expect(holds(new Y.Doc(), empty.footprint)).toBe(true);
});
