import { toHex } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { contentBytes, contentProgram, digestContent } from "./content-digest.ts";
import { parseStored, parseUpdate } from "./parse-update.ts";
import { deliver, delivery, hash, play, runs, steps } from "./sessions.fixture.ts";
import { UpdateFold } from "./update-fold.ts";
import { yjsEngine } from "./yjs-engine.ts";

// Goal: digest C is the same for the same content, however it came about, and differs for other content.
// Method: sessions of four people delivered in any order and form, with and without garbage
// collection; then the cases that state vectors and delete sets do not tell apart.

function digestsOf(updates: readonly Uint8Array[], gc: boolean): { s: string; c: string } {
  const loaded = yjsEngine.fold(updates, { gc });
  const digests = { s: toHex(loaded.digestS(hash)), c: toHex(loaded.digestC(hash)) };
  loaded.destroy();
  return digests;
}

test("[DOC-11] any order, form and reloading of the same updates gives the same digest C", () => {
  fc.assert(
    fc.property(steps, delivery, fc.boolean(), (script, order, stock) => {
      const session = play(script, { stock });
      const expected = digestsOf(session.updates, true);
      const delivered = deliver(session, order);
      expect(digestsOf(delivered, true)).toEqual(expected);
      expect(digestsOf(session.updates, false)).toEqual(expected);
      const loaded = yjsEngine.fold(delivered);
      expect(digestsOf([loaded.encodeState()], true)).toEqual(expected);
      const fold = new UpdateFold();
      for (const update of delivered) fold.append(parseUpdate(update));
      expect(digestsOf([fold.encodeSince()], true)).toEqual(expected);
    }),
    runs(150),
  );
});

test("[CKP-7] a state without deleted content and the updates after it add up to the whole", () => {
  fc.assert(
    fc.property(steps, fc.nat(100), fc.boolean(), (script, share, stock) => {
      const { updates } = play(script, { stock });
      const cut = Math.floor((updates.length * share) / 100);
      const base = yjsEngine.fold(updates.slice(0, cut));
      // Early updates of one person may wait for later ones of another; no checkpoint is made of that.
      fc.pre(!base.hasPending);
      const fold = new UpdateFold();
      fold.append(parseStored(base.encodeState()));
      for (const update of updates.slice(cut)) fold.append(parseUpdate(update));
      expect(digestsOf([fold.encodeSince()], true)).toEqual(digestsOf(updates, true));
      // A client that stopped anywhere before gets what it lacks.
      const early = new Y.Doc();
      for (const update of updates.slice(0, Math.floor(cut / 2))) Y.applyUpdate(early, update);
      fc.pre(early.store.pendingStructs === null && early.store.pendingDs === null);
      Y.applyUpdate(early, fold.encodeSince(Y.encodeStateVector(early)));
      expect(toHex(digestContent(hash, early))).toBe(digestsOf(updates, true).c);
    }),
    runs(150),
  );
});

test("[DOC-11] digest C tells apart what digest S does not: one id with two contents", () => {
  const written = ["left", "rite"].map((word) => {
    const doc = new Y.Doc();
    doc.clientID = 7;
    doc.getText("t").insert(0, word);
    return digestsOf([Y.encodeStateAsUpdate(doc)], true);
  });
  expect(written[0]!.s).toBe(written[1]!.s);
  expect(written[0]!.c).not.toBe(written[1]!.c);
});

test("[DOC-11] digest C finds the damage that Yjs does to surrogate pairs", () => {
  const doc = new Y.Doc();
  const text = doc.getText("t");
  text.insert(0, "x😀y", { bold: true });
  const peer = new Y.Doc();
  Y.applyUpdate(peer, Y.encodeStateAsUpdate(doc));
  const before = toHex(digestContent(hash, peer));
  expect(toHex(digestContent(hash, doc))).toBe(before);
  text.format(0, 2, { bold: true });
  expect(toHex(digestContent(hash, doc))).not.toBe(before);
});

test("[DOC-11] digest C sees kind, place, key and value of what is there", () => {
  const makers: ((doc: Y.Doc) => unknown)[] = [
    (doc) => doc.getText("t").insert(0, "a"),
    (doc) => doc.getText("u").insert(0, "a"),
    (doc) => doc.getText("t").insertEmbed(0, { a: 1 }),
    (doc) => doc.getText("t").insertEmbed(0, { a: 2 }),
    (doc) => doc.getArray("t").insert(0, ["a"]),
    (doc) => doc.getArray("t").insert(0, [1]),
    (doc) => doc.getArray("t").insert(0, [{ n: 1n }]),
    (doc) => doc.getArray("t").insert(0, [true]),
    (doc) => doc.getArray("t").insert(0, [null]),
    (doc) => doc.getArray("t").insert(0, [{ n: undefined }]),
    (doc) => doc.getArray("t").insert(0, [[1]]),
    (doc) => doc.getArray("t").insert(0, [Uint8Array.of(1)]),
    (doc) => doc.getArray("t").insert(0, [new Y.Map()]),
    (doc) => doc.getArray("t").insert(0, [new Y.XmlElement("p")]),
    (doc) => doc.getArray("t").insert(0, [new Y.XmlElement("q")]),
    (doc) => doc.getArray("t").insert(0, [new Y.Doc({ guid: "one" })]),
    (doc) => doc.getArray("t").insert(0, [new Y.Doc({ guid: "two" })]),
    (doc) => doc.getMap("t").set("k", 1),
    (doc) => doc.getMap("t").set("l", 1),
    (doc) => doc.getMap("t").set("k", { b: 1, a: 2 }),
  ];
  const digests = makers.map((make) => {
    const doc = new Y.Doc();
    doc.clientID = 7;
    make(doc);
    return digestsOf([Y.encodeStateAsUpdate(doc)], true).c;
  });
  expect(new Set(digests).size).toBe(makers.length);
});

test("[DOC-11] digest C looks past the order of object keys and past empty roots", () => {
  const digests = [
    { a: 1, b: 2 },
    { b: 2, a: 1 },
  ].map((value) => {
    const doc = new Y.Doc();
    doc.clientID = 7;
    doc.getMap("m").set("k", value);
    if ("a" === Object.keys(value)[0]) doc.getXmlFragment("never used");
    return toHex(digestContent(hash, doc));
  });
  expect(digests[0]).toBe(digests[1]);
  expect(toHex(digestContent(hash, new Y.Doc()))).toBe(
    "530354a496c66e5c7b22be5061ef337b340c424d44f3e65b7fdd7e2c5599edfa",
  );
});

test("[DOC-11] digest C of a known document keeps its value", () => {
  const doc = new Y.Doc();
  doc.clientID = 300;
  doc.getText("t").insert(0, "größer 😀", { bold: true });
  doc.getText("t").delete(2, 3);
  doc.getMap("m").set("inner", new Y.Map([["x", [1, { y: "z" }]]]));
  doc.getXmlFragment("x").insert(0, [new Y.XmlElement("p")]);
  expect(digestsOf([Y.encodeStateAsUpdate(doc)], true).c).toBe(
    "01001d4b5f8c3f29ff7a1254f12c6ff70f569fef25e2a5573e82981609bc337d",
  );
});

test("[DOC-11] the text for worker threads computes the same", () => {
  // oxlint-disable-next-line eslint/no-new-func -- as a worker evaluates it
  const fromText = new Function(`${contentProgram}; return contentBytes;`)() as typeof contentBytes;
  fc.assert(
    fc.property(steps, (script) => {
      for (const doc of play(script).docs) expect(fromText(doc)).toEqual(contentBytes(doc));
    }),
    runs(20),
  );
});
