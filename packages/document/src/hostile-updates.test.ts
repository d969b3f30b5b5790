import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { AdmittingLog } from "./admission.fixture.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isDataMissing, readHostilePayloads } from "./shared-data.fixture.ts";
import { decodeStateVector } from "./state-vector.ts";
import { typeDepthMax } from "./type-nesting.ts";

/** What becomes of an update that comes first to an empty log. */
function verdictOf(update: Uint8Array): "close" | "park" | "accept" {
  const log = new AdmittingLog();
  try {
    log.receive(update);
  } catch (error) {
    expect(isHeddleError(error, HeddleErrorCode.updateMalformed)).toBe(true);
    return "close";
  }
  for (const { bytes } of log.admitted) {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, bytes);
    expect(doc.store.pendingStructs).toBeNull();
    expect(doc.store.pendingDs).toBeNull();
    Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(doc));
  }
  return log.parked.length > 0 ? "park" : "accept";
}

describe.skipIf(isDataMissing)("[DOC-1] hostile updates", () => {
  const payloads = isDataMissing ? [] : readHostilePayloads();

  test.each(payloads.filter(({ format }) => format === "v1"))("$id: $verdict", (payload) => {
    const verdict = verdictOf(Buffer.from(payload.base64, "base64"));
    if (payload.verdict !== "any") expect(verdict).toBe(payload.verdict);
  });

  test.each(payloads.filter(({ format }) => format === "v2"))("$id in V2: close", (payload) => {
    expect(verdictOf(Buffer.from(payload.base64, "base64"))).toBe("close");
  });

  test.each(payloads.filter(({ format }) => format === "sv"))("$id: $verdict", (payload) => {
    const read = () => decodeStateVector(Buffer.from(payload.base64, "base64"));
    if (payload.verdict === "accept") expect(read().size).toBe(0);
    else expect(read).toThrow(expect.objectContaining({ code: HeddleErrorCode.frameMalformed }));
  });
});

/** A struct section of one client, its structs written by hand, and an empty delete section. */
function updateOf(count: number, client: number, write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  for (const value of [1, count, client, 0]) writer.uint(value);
  write(writer);
  writer.uint(0);
  return writer.finish();
}

function nestedArrays(depth: number): Uint8Array {
  const doc = new Y.Doc();
  doc.transact(() => {
    let array: Y.Array<unknown> = doc.getArray("a");
    for (let level = 0; level < depth; level++) {
      const inner = new Y.Array<unknown>();
      array.insert(0, [inner]);
      array = inner;
    }
    array.insert(0, ["bottom"]);
  });
  return Y.encodeStateAsUpdate(doc);
}

test("[DOC-1] shared types nested too deep in one update are refused, at the bound they are taken", () => {
  expect(verdictOf(nestedArrays(typeDepthMax))).toBe("accept");
  expect(verdictOf(nestedArrays(typeDepthMax + 1))).toBe("close");
  expect(verdictOf(nestedArrays(3000))).toBe("close");
});

test("[DOC-1] a flood of roots before an invalid struct is refused as a whole", () => {
  const flood = updateOf(20_001, 7, (writer) => {
    for (let index = 0; index < 20_000; index++) {
      writer.byte(8);
      writer.byte(1);
      writer.uint(5);
      for (const char of String(10_000 + index)) writer.byte(char.charCodeAt(0));
      writer.byte(1);
      writer.byte(126);
    }
    writer.byte(11);
  });
  expect(verdictOf(flood)).toBe("close");
});

test("[DOC-6] deletes of a client never seen are parked, as many as they are", () => {
  const writer = new ByteWriter();
  for (const value of [0, 1, 99, 300_000]) writer.uint(value);
  for (let index = 0; index < 300_000; index++) {
    writer.uint(index * 2);
    writer.uint(1);
  }
  expect(verdictOf(writer.finish())).toBe("park");
});

test("[DOC-1] many clients that wait for each other in a long chain or a circle take linear time", () => {
  const clients = 50_000;
  /** Client n refers to client n + 1 (or n - 1), so that one order of the walk meets only blocked ones. */
  const chain = (next: (client: number) => number): Uint8Array => {
    const writer = new ByteWriter();
    writer.uint(clients);
    for (let client = clients; client > 0; client--) {
      for (const value of [1, client, 0]) writer.uint(value);
      const origin = next(client);
      if (origin === 0) for (const byte of [4, 1, 1, 0x74]) writer.byte(byte);
      else {
        writer.byte(0x84);
        writer.uint(origin);
        writer.uint(0);
      }
      for (const byte of [1, 0x78]) writer.byte(byte);
    }
    writer.uint(0);
    return writer.finish();
  };
  const start = performance.now();
  for (const next of [(c: number) => c - 1, (c: number) => (c === clients ? 0 : c + 1)]) {
    const log = new AdmittingLog();
    log.receive(chain(next));
    expect(log.parked).toEqual([]);
    expect(log.knowledge.clientCount).toBe(clients);
  }
  const log = new AdmittingLog();
  log.receive(chain((client) => (client % clients) + 1));
  expect(log.admitted).toEqual([]);
  expect(log.parked).toHaveLength(1);
  expect(performance.now() - start).toBeLessThan(20_000);
});
