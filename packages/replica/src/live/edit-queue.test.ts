import * as Y from "yjs";
import { expect, test } from "vitest";

import { EditQueue } from "./edit-queue.ts";

function sealed(edits: number, parts = 1) {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, `edit ${edits}`);
  const update = Y.encodeStateAsUpdate(doc);
  const updates = Array.from({ length: parts }, () => update);
  return { updates, isImported: false, context: undefined, edits };
}

test("[LIV-6] edits are saved in the order of their making, whatever order the disk confirms", () => {
  const queue = new EditQueue();
  for (const edits of [1, 2, 4]) queue.push(sealed(edits));
  const taken = [1, 2, 4].map(() => {
    const entry = queue.next()!;
    entry.stage = "submitted";
    return entry;
  });
  expect(queue.next()).toBeUndefined();
  taken[1]!.stage = "saved";
  expect(queue.takeSaved()).toBe(0);
  taken[0]!.stage = "saved";
  expect(queue.takeSaved()).toBe(3);
  queue.push(sealed(8));
  expect(queue.next()!.edits).toBe(8);
  queue.restart();
  expect(queue.next()!.edits).toBe(4);
});

test("[LIV-6] what is sealed in parts is saved with its last part; what was put back comes again", () => {
  const queue = new EditQueue();
  queue.push(sealed(3, 2));
  const first = queue.next()!;
  first.stage = "submitted";
  queue.putBack(first);
  expect(queue.next()).toBe(first);
  first.stage = "saved";
  expect(queue.takeSaved()).toBe(0);
  const last = queue.next()!;
  last.stage = "saved";
  expect(queue.takeSaved()).toBe(3);
  expect(queue.next()).toBeUndefined();
});

test("[LIV-7] a long absence of the store is worked off without looking at everything again and again", () => {
  const queue = new EditQueue();
  const one = sealed(1);
  for (let index = 0; index < 20_000; index++) queue.push(one);
  let submitted = 0;
  for (let entry = queue.next(); entry; entry = queue.next()) {
    entry.stage = "submitted";
    submitted++;
  }
  expect(submitted).toBe(20_000);
});
