import { describe, expect, test } from "vitest";

import { MoveLedger } from "./move-ledger.ts";

describe("MoveLedger", () => {
  test("names what moved after a mark, each once, and nothing from before", () => {
    const ledger = new MoveLedger();
    const first = ledger.mark();
    ledger.note(() => ["a", "b"]);
    const second = ledger.mark();
    ledger.note(() => ["b", "c"]);
    ledger.note(() => []);
    expect(ledger.since(first)).toEqual(["a", "b", "c"]);
    expect(ledger.since(second)).toEqual(["b", "c"]);
    expect(ledger.since(ledger.mark())).toEqual([]);
  });

  test("a mark of another opening, or of another store, means nothing", () => {
    const ledger = new MoveLedger();
    const before = ledger.mark();
    ledger.begin();
    expect(ledger.since(before)).toBeUndefined();
    expect(ledger.since(ledger.mark())).toEqual([]);
    expect(ledger.since(new MoveLedger().mark())).toBeUndefined();
  });

  test("what had to be forgotten is not taken for what has not moved", () => {
    const ledger = new MoveLedger(2);
    const first = ledger.mark();
    ledger.note(() => ["a"]);
    const second = ledger.mark();
    ledger.note(() => ["b"]);
    ledger.note(() => ["c"]);
    expect(ledger.since(first)).toBeUndefined();
    expect(ledger.since(second)).toEqual(["b", "c"]);
    // One write of more names than are kept.
    ledger.note(() => ["d", "e", "f"]);
    expect(ledger.since(second)).toBeUndefined();
    expect(ledger.since(ledger.mark())).toEqual([]);
  });

  test("notes nothing while nobody has asked", () => {
    const ledger = new MoveLedger();
    ledger.note(() => {
      throw new Error("nobody wants to know");
    });
    expect(ledger.since({ ...ledger.mark(), number: 0 })).toEqual([]);
  });
});
