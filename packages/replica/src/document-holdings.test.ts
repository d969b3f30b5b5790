import { documentId } from "@heddle/core";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { DocumentHoldings } from "./document-holdings.ts";
import type { ReplicaDocument } from "./replica-document.ts";

const idleMs = 30_000;

/** As much of a document as the holdings look at. */
function documentOf(index: number): ReplicaDocument {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, index);
  return { entry: { id: documentId(bytes) }, isQuiet: true } as unknown as ReplicaDocument;
}

/** Of so many documents that were used and let go one after the other, how many are there as time passes. */
async function useAndLeave(count: number): Promise<(ms: number) => number> {
  const environment = testEnvironment();
  const holdings = new DocumentHoldings({ environment, idleMs, onLeft: () => undefined });
  for (let index = 0; index < count; index++) {
    const document = documentOf(index);
    await holdings.acquire(document.entry.id, () => Promise.resolve(document));
    holdings.release(document);
  }
  return (ms) => {
    environment.clock.advance(ms);
    return holdings.size;
  };
}

test("a document that nobody uses any more stays for its while", async () => {
  const sizeAfter = await useAndLeave(100);
  expect([sizeAfter(idleMs - 1), sizeAfter(1)]).toEqual([100, 0]);
});

test("[LIB-5] of very many that come and go, few stay for longer than a moment", async () => {
  const sizeAfter = await useAndLeave(5_000);
  expect(sizeAfter(1_000)).toBe(1_024);
  expect(sizeAfter(idleMs)).toBe(0);
});
