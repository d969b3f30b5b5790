import { createHash } from "node:crypto";

import type { Hash } from "@heddle/core";
import * as fc from "fast-check";
import * as Y from "yjs";

import { suppressRemoteCleanup } from "./yjs-engine.ts";

export const hash: Hash = {
  sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};

/** Runs of a property; HEDDLE_TEST_SCALE multiplies them for a longer search. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: count * Number(process.env["HEDDLE_TEST_SCALE"] ?? 1) };
}

/** One step of a session as plain data, so that fast-check can shrink it. */
export interface Step {
  readonly who: number;
  readonly what: number;
  readonly at: number;
  readonly size: number;
}

export interface SessionOptions {
  /** Stock clients clean formatting up after remote changes; heddle's own do not. */
  readonly stock?: boolean;
  readonly formatting?: boolean;
}

/** What people did: every update their documents emitted for it, and the documents at the end. */
export interface Session {
  readonly updates: readonly Uint8Array[];
  readonly docs: readonly Y.Doc[];
}

/** Ids that a varuint writes in one to five bytes, not in the order of the replicas. */
const clientIds = [4_294_967_295, 7, 300, 2_147_483_653];
const words = ["a", "hé", "llo", "😀", "x😀y", "", "日本語", "-"];

const step = fc.record({
  who: fc.nat(3),
  what: fc.nat(19),
  at: fc.nat(40),
  size: fc.nat(7),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(step, {
  minLength: 1,
  maxLength: 60,
  size: "max",
});

export function play(script: readonly Step[], options: SessionOptions = {}): Session {
  const updates: Uint8Array[] = [];
  const docs = clientIds.map((clientId, index) => {
    const doc = new Y.Doc({ gc: index % 2 === 0 });
    doc.clientID = clientId;
    if (options.stock !== true) suppressRemoteCleanup(doc);
    doc.on(
      "update",
      (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
        if (transaction.local) updates.push(update);
      },
    );
    return doc;
  });
  const undo = new Y.UndoManager(docs[0]!.getText("t"), { captureTimeout: 0 });
  for (const step of script) take(docs, undo, step, options.formatting ?? true);
  return { updates, docs };
}

export function take(
  docs: readonly Y.Doc[],
  undo: Y.UndoManager,
  step: Step,
  formatting: boolean,
): void {
  const doc = docs[step.who]!;
  const text = doc.getText("t");
  const { at, size } = step;
  switch (step.what) {
    case 0:
    case 1:
    case 2:
      return void text.insert(indexIn(text, at), words[size]!);
    case 3:
    case 4:
      return cut(text, at, size);
    case 5:
    case 6:
      return formatting ? format(text, at, size) : undefined;
    case 7:
      return text.insertEmbed(indexIn(text, at), { i: size });
    case 8:
      return void (size % 2 === 0 ? undo.undo() : undo.redo());
    case 9:
    case 10:
      return editArray(doc.getArray("a"), at, size);
    case 11:
    case 12:
      return editMap(doc.getMap("m"), at, size);
    case 13:
    case 14:
      return editXml(doc.getXmlFragment("x"), at, size);
    case 15:
      return void doc.transact(() => {
        for (const word of words) text.insert(indexIn(text, at), word);
        cut(text, at, size);
      });
    default:
      return exchange(doc, docs[at % docs.length]!, size);
  }
}

function exchange(from: Y.Doc, to: Y.Doc, mode: number): void {
  if (from === to) return;
  const whole = Y.encodeStateAsUpdate(from);
  if (mode < 5) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
  else if (mode === 5) Y.applyUpdate(to, Y.diffUpdate(whole, Y.encodeStateVector(to)));
  else Y.applyUpdate(to, whole);
}

/** An index between two characters, never inside a surrogate pair: Yjs 13.6 damages those. */
function indexIn(text: Y.Text, at: number): number {
  const units = unitsOf(text);
  let index = at % (units.length + 1);
  while (index < units.length && isLow(units[index]!)) index++;
  return index;
}

function unitsOf(text: Y.Text): string[] {
  return (text.toDelta() as { insert: unknown }[]).flatMap(({ insert }) =>
    typeof insert === "string" ? insert.split("") : ["*"],
  );
}

function isLow(unit: string): boolean {
  return unit >= "\udc00" && unit <= "\udfff";
}

function span(text: Y.Text, at: number, size: number): [number, number] {
  const start = indexIn(text, at);
  const end = Math.max(start, indexIn(text, Math.min(start + size, unitsOf(text).length)));
  return [start, end - start];
}

function cut(text: Y.Text, at: number, size: number): void {
  const [index, length] = span(text, at, size);
  if (length > 0) text.delete(index, length);
}

function format(text: Y.Text, at: number, size: number): void {
  const [index, length] = span(text, at, size + 1);
  if (length > 0)
    text.format(index, length, { [at % 2 === 0 ? "b" : "c"]: size % 3 === 0 ? null : true });
}

function editArray(array: Y.Array<unknown>, at: number, size: number): void {
  if (size < 2 && array.length > 0) array.delete(at % array.length, 1);
  else if (size < 5)
    array.insert(at % (array.length + 1), [at, "two", null, 1.5].slice(0, size - 1));
  else if (size === 5) array.push([new Uint8Array([at])]);
  else array.insert(0, [new Y.Text("in")]);
}

function editMap(map: Y.Map<unknown>, at: number, size: number): void {
  const inner = map.get("inner");
  if (size === 0) map.set("inner", new Y.Map());
  else if (size === 1) map.delete(`k${at % 2}`);
  else if (size === 2) map.set("sub", new Y.Doc({ guid: `sub-${at}`, autoLoad: at % 2 === 0 }));
  else if (size < 5 && inner instanceof Y.Map) inner.set(`k${at % 3}`, { deep: [at, size] });
  else map.set(`k${at % 2}`, size);
}

function editXml(fragment: Y.XmlFragment, at: number, size: number): void {
  const first = fragment.length > 0 ? fragment.get(0) : undefined;
  if (size < 2 && fragment.length > 0) fragment.delete(at % fragment.length, 1);
  else if (first instanceof Y.XmlElement && size < 4) first.setAttribute(`k${at % 2}`, `v${size}`);
  else if (first instanceof Y.XmlElement && size < 6) first.insert(0, [new Y.XmlText("t")]);
  else fragment.insert(0, [new Y.XmlElement("p")]);
}

/** What people see, as plain data. */
export function contentOf(doc: Y.Doc): unknown {
  return JSON.parse(
    JSON.stringify(
      [
        doc.getText("t").toDelta(),
        doc
          .getArray("a")
          .toArray()
          .map((item) => (item instanceof Y.Text ? item.toDelta() : item)),
        Array.from(doc.getMap("m").entries())
          .map(([key, item]) => [key, item instanceof Y.Map ? sorted(item) : item])
          .toSorted(),
        xmlContent(doc.getXmlFragment("x")),
      ],
      toPlain,
    ),
  );
}

function sorted(map: Y.Map<unknown>): unknown {
  return Array.from(map.entries()).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function toPlain(_key: string, value: unknown): unknown {
  if (value instanceof Y.Doc) return `doc ${value.guid}`;
  return value instanceof Uint8Array ? [...value] : value;
}

function xmlContent(node: unknown): unknown {
  if (node instanceof Y.XmlText) return node.toString();
  if (node instanceof Y.XmlElement) {
    const attributes = Object.entries(node.getAttributes()).toSorted();
    return [node.nodeName, attributes, node.toArray().map(xmlContent)];
  }
  return node instanceof Y.XmlFragment ? node.toArray().map(xmlContent) : null;
}

/** The updates of a session as they may arrive: in any order, repeated, merged and diffed. */
export interface Delivery {
  readonly order: readonly number[];
  readonly forms: readonly number[];
}

export const delivery: fc.Arbitrary<Delivery> = fc.record({
  order: fc.array(fc.nat(1000), { minLength: 0, maxLength: 60 }),
  forms: fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
});

/** Every update at least once, in the order that the delivery says. */
export function deliver(session: Session, { order, forms }: Delivery): Uint8Array[] {
  const { updates, docs } = session;
  const pool = [...updates];
  const queue: Uint8Array[] = [];
  for (const pick of order) if (updates.length > 0) queue.push(updates[pick % updates.length]!);
  for (let turn = 0; pool.length > 0; turn++) {
    queue.push(pool.splice((order[turn % Math.max(1, order.length)] ?? 0) % pool.length, 1)[0]!);
  }
  return queue.map((update, index) => {
    const other = queue[(index * 7 + 3) % queue.length]!;
    const doc = docs[index % docs.length]!;
    switch (forms[index % forms.length]) {
      case 1:
        return Y.mergeUpdates([update, other]);
      case 2:
        return Y.mergeUpdates([Y.encodeStateAsUpdate(doc), update]);
      case 3:
        return Y.mergeUpdates([
          update,
          Y.diffUpdate(Y.mergeUpdates([other, update]), Y.encodeStateVector(doc)),
        ]);
      default:
        return update;
    }
  });
}
