import { HeddleErrorCode, isHeddleError, limits } from "@heddle/core";
import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { ByteCursor } from "./byte-cursor.ts";
import { ByteWriter } from "./byte-writer.ts";
import { skipJson } from "./json-text.ts";
import { parseUpdate, validatorVersion } from "./parse-update.ts";
import { deliver, delivery, play, steps, runs } from "./sessions.fixture.ts";
import { notUtf8, offsetOfUnit, utf16LengthOf } from "./utf8.ts";

const isMalformed = (error: unknown): boolean =>
  isHeddleError(error, HeddleErrorCode.updateMalformed);

function isRefused(update: Uint8Array): boolean {
  try {
    parseUpdate(update);
    return false;
  } catch (error) {
    expect(isMalformed(error)).toBe(true);
    return true;
  }
}

test("[DOC-1] honest updates pass, in every form that Yjs gives them", () => {
  const scenario = fc.record({ script: steps, order: delivery, stock: fc.boolean() });
  fc.assert(
    fc.property(scenario, ({ script, order, stock }) => {
      const session = play(script, { stock });
      const partial = new Y.Doc();
      for (const update of deliver(session, order)) {
        expect(isRefused(update)).toBe(false);
        if (update.length % 3 > 0) Y.applyUpdate(partial, update);
        expect(isRefused(Y.encodeStateAsUpdate(partial))).toBe(false);
      }
      const inV2 = Y.mergeUpdatesV2(session.updates.map(Y.convertUpdateFormatV1ToV2));
      if (session.updates.length > 0) {
        expect(isRefused(Y.convertUpdateFormatV2ToV1(inV2))).toBe(false);
      }
    }),
    runs(60),
  );
});

test("[DOC-1] the index agrees with Yjs' own reading", () => {
  fc.assert(
    fc.property(steps, delivery, (script, order) => {
      for (const bytes of deliver(play(script), order)) {
        const update = parseUpdate(bytes);
        const decoded = Y.decodeUpdate(bytes);
        const structs = decoded.structs.filter((struct) => struct.constructor.name !== "Skip");
        const spans = update.runs.reduce((sum, run) => sum + run.endClock - run.clock, 0);
        expect(spans).toBe(structs.reduce((sum, struct) => sum + struct.length, 0));
        expect(update.runs.reduce((sum, run) => sum + run.structCount, 0)).toBe(structs.length);
        const deletes = update.deletes.map(({ client, ranges }) => [client, ranges]);
        expect(deletes).toEqual(
          Array.from(decoded.ds.clients, ([client, items]) => [client, flatten(items)]),
        );
      }
    }),
    runs(100),
  );
});

function flatten(items: readonly { clock: number; len: number }[]): number[] {
  return items.flatMap(({ clock, len }) => [clock, clock + len]);
}

test("[DOC-1] every truncation is refused, and so is anything behind the end", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const session = play(script);
      const whole = Y.mergeUpdates([...session.updates, Uint8Array.of(0, 0)]);
      for (let length = 0; length < whole.length; length++) {
        expect(isRefused(whole.subarray(0, length))).toBe(true);
      }
      expect(isRefused(Uint8Array.of(...whole, 0))).toBe(true);
    }),
    runs(25),
  );
});

const mutation = fc.record({ at: fc.nat(), value: fc.nat(255), kind: fc.nat(3) });

function mutate(
  update: Uint8Array,
  mutations: readonly { at: number; value: number; kind: number }[],
) {
  let bytes = [...update];
  for (const { at, value, kind } of mutations) {
    const index = at % Math.max(1, bytes.length);
    if (kind === 0) bytes[index] = value;
    else if (kind === 1) bytes[index] = bytes[index]! ^ (1 << (value % 8));
    else if (kind === 2) bytes = [...bytes.slice(0, index), value % 16, ...bytes.slice(index)];
    else bytes = [...bytes.slice(0, index), ...bytes.slice(index + 1)];
  }
  return Uint8Array.from(bytes);
}

test("[DOC-1] a mutated update is refused or can be applied, encoded and loaded again", () => {
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(steps, fc.array(mutations, { minLength: 30, maxLength: 30 }), (script, all) => {
      const session = play(script);
      const pool = [...session.updates, Y.encodeStateAsUpdate(session.docs[0]!)];
      all.forEach((list, index) => {
        const update = mutate(pool[index % pool.length]!, list);
        if (isRefused(update)) return;
        const doc = new Y.Doc();
        Y.applyUpdate(doc, update);
        const encoded = Y.encodeStateAsUpdate(doc);
        Y.applyUpdate(new Y.Doc(), encoded);
        expect(isRefused(encoded)).toBe(false);
        Y.mergeUpdates([update, encoded]);
      });
    }),
    runs(100),
  );
});

test("[DOC-1] random bytes are refused or loadable, never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      if (!isRefused(bytes)) Y.applyUpdate(new Y.Doc(), bytes);
    }),
    runs(3000),
  );
});

test("[DOC-1] an update above the limit is refused with its own code", () => {
  const large = new Uint8Array(limits.updateBytesMax + 1);
  expect(() => parseUpdate(large)).toThrow(
    expect.objectContaining({ code: HeddleErrorCode.updateTooLarge }),
  );
});

/** One client 7 from clock 0 with the given struct bytes; then the delete section. */
function handmade(structs: number[][], deletes: number[] = [0]): Uint8Array {
  return Uint8Array.of(1, structs.length, 7, 0, ...structs.flat(), ...deletes);
}

const text = [4, 1, 1, 0x74, 1, 0x78];

describe("[DOC-1] malformed by class", () => {
  test.each<[string, Uint8Array]>([
    ["empty input", Uint8Array.of()],
    ["zero-length GC", handmade([[0, 0]])],
    ["zero-length deleted", handmade([[1, 1, 1, 0x74, 0]])],
    ["empty text", handmade([[4, 1, 1, 0x74, 0]])],
    ["no elements", handmade([[8, 1, 1, 0x74, 0]])],
    ["zero-length Skip", handmade([[10, 0], text])],
    ["flags on GC", handmade([[0x80, 1]])],
    ["flags on Skip", handmade([[0x2a, 1], text])],
    ["kind 11", handmade([[11, 1, 1, 0x74]])],
    ["origin at the own clock", handmade([text, [0x84, 7, 1, 1, 0x78]])],
    ["right origin above the own clock", handmade([text, [0x44, 7, 9, 1, 0x78]])],
    ["parent at the own clock", handmade([text, [4, 0, 7, 1, 1, 0x78]])],
    ["parent is text", handmade([text, [4, 0, 7, 0, 1, 0x78]])],
    ["parent kind 2", handmade([[4, 2, 1, 0x74, 1, 0x78]])],
    ["root named __proto__", handmade([[4, 1, 9, ...ascii("__proto__"), 1, 0x78]])],
    ["shared type 7", handmade([[7, 1, 1, 0x74, 7]])],
    ["format key __proto__", handmade([[6, 1, 1, 0x74, 9, ...ascii("__proto__"), 1, 0x31]])],
    ["embed __proto__", handmade([[5, 1, 1, 0x74, ...sized('{"__proto__":1}')]])],
    ["embed __proto__ escaped", handmade([[5, 1, 1, 0x74, ...sized('{"\\u005f_proto__":1}')]])],
    ["embed undefined", handmade([[5, 1, 1, 0x74, ...sized("undefined")]])],
    ["subdocument options null", handmade([[9, 1, 1, 0x74, 1, 0x67, 126]])],
    ["client twice", Uint8Array.of(2, 1, 7, 0, ...text, 1, 7, 1, ...text, 0)],
    [
      "client twice, apart",
      Uint8Array.of(3, 1, 7, 0, ...text, 1, 5, 0, ...text, 1, 7, 1, ...text, 0),
    ],
    [
      "client twice, only holes",
      Uint8Array.of(3, 1, 7, 0, 10, 1, 1, 5, 0, ...text, 1, 7, 1, ...text, 0),
    ],
    ["delete client twice", Uint8Array.of(0, 2, 7, 1, 0, 1, 7, 1, 5, 1)],
    ["delete of length 0", Uint8Array.of(0, 1, 7, 1, 0, 0)],
    ["deletes descending", Uint8Array.of(0, 1, 7, 2, 5, 1, 0, 1)],
    ["deletes overlapping", Uint8Array.of(0, 1, 7, 2, 0, 3, 2, 1)],
    ["endless zero padding", Uint8Array.of(...Array.from({ length: 200 }, () => 0x80), 0, 0)],
  ])("%s", (_name, update) => expect(isRefused(update)).toBe(true));

  test.each<[string, Uint8Array]>([
    ["empty update", Uint8Array.of(0, 0)],
    ["undefined in JSON content", handmade([[2, 1, 1, 0x74, 1, ...sized("undefined")]])],
    ["touching deletes", Uint8Array.of(0, 1, 7, 2, 0, 2, 2, 1)],
    ["clients ascending", Uint8Array.of(2, 1, 5, 0, ...text, 1, 7, 0, ...text, 0)],
    [
      "parent was deleted",
      handmade([
        [1, 1, 1, 0x74, 1],
        [4, 0, 7, 0, 1, 0x78],
      ]),
    ],
    [
      "parent in a hole",
      handmade([
        [10, 1],
        [4, 0, 7, 0, 1, 0x78],
      ]),
    ],
    [
      "client id of 53 bits",
      Uint8Array.of(1, 1, 255, 255, 255, 255, 255, 255, 255, 15, 0, ...text, 0),
    ],
  ])("taken: %s", (_name, update) => expect(isRefused(update)).toBe(false));
});

function ascii(word: string): number[] {
  return Array.from(word, (char) => char.charCodeAt(0));
}

function sized(word: string): number[] {
  return [word.length, ...ascii(word)];
}

function nested(depth: number): Uint8Array {
  return handmade([
    [8, 1, 1, 0x74, 1, ...Array.from({ length: depth }, () => [117, 1]).flat(), 126],
  ]);
}

test("[DOC-1] values nested to the limit pass, one deeper does not", () => {
  expect(isRefused(nested(limits.anyDepthMax))).toBe(false);
  expect(isRefused(nested(limits.anyDepthMax + 1))).toBe(true);
});

test("[DOC-1] JSON is judged as JSON.parse does", () => {
  const snippets = fc.constantFrom(
    ...'{}[]:,"\\ue.-+0123456789 \n\t\u0001é',
    "true",
    "false",
    "null",
    '"a"',
    '"a":',
    "\\u00",
    "1e5",
    "-0",
    "\\n",
    "\ufeff",
    "\u2028",
  );
  const texts = fc.oneof(
    fc.json(),
    fc.array(snippets, { maxLength: 12 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(texts, (json) => {
      expect(isJson(json)).toBe(isParseable(json));
    }),
    runs(2000),
  );
});

function isJson(json: string): boolean {
  const bytes = new TextEncoder().encode(json);
  const writer = new ByteWriter();
  writer.uint(bytes.length);
  writer.slice(bytes, 0, bytes.length);
  try {
    skipJson(new ByteCursor(writer.finish()), false);
    return true;
  } catch {
    return false; // Which error it is does not matter here, only the verdict.
  }
}

function isParseable(json: string): boolean {
  try {
    let hasProtoKey = false;
    JSON.parse(json, (key) => {
      hasProtoKey ||= key === "__proto__";
    });
    return !hasProtoKey;
  } catch {
    return false; // The verdict of JSON.parse.
  }
}

test("[DOC-1] text is judged and measured as a fatal TextDecoder does", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const leads = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0xbf,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
  );
  const tails = fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0x20);
  const bytes = fc
    .array(fc.oneof(leads, tails, tails), { maxLength: 8 })
    .map((all) => Uint8Array.from(all));
  fc.assert(
    fc.property(bytes, (bytes) => {
      let length = notUtf8;
      try {
        length = decoder.decode(bytes).length;
      } catch {
        // Not UTF-8: the length stays as it is.
      }
      expect(utf16LengthOf(bytes, 0, bytes.length)).toBe(length);
    }),
    runs(2000),
  );
});

test("[DOC-5] a place in text is found by UTF-16 units", () => {
  const bytes = new TextEncoder().encode("aé日😀b");
  expect(offsetOfUnit(bytes, 0, 2)).toEqual({ offset: 3, splits: false });
  expect(offsetOfUnit(bytes, 0, 4)).toEqual({ offset: 10, splits: true });
  expect(offsetOfUnit(bytes, 0, 5)).toEqual({ offset: 10, splits: false });
});

test("[DOC-1] the verdict has a version", () => {
  expect(validatorVersion).toBe(1);
});

test("[DOC-1] millions of clients in one message are refused before they are read", () => {
  const clients = limits.clientsPerUpdateMax + 1;
  const bytes = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarUint(encoder, clients);
    for (let client = clients; client > 0; client--) {
      for (const value of [client, 1, 0, 1]) encoding.writeVarUint(encoder, value);
    }
  });
  expect(() => parseUpdate(bytes)).toThrow(/more clients/);
});
