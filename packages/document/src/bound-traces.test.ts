import { describe, expect, test } from "vitest";

import { BoundDocument } from "./bound-documents.fixture.ts";
import { contentOf, hash } from "./sessions.fixture.ts";
import { isDataMissing, readTrace, unheardBy, type Trace } from "./shared-data.fixture.ts";
import { toHex } from "@heddle/core";
import { yjsEngine } from "./yjs-engine.ts";

/** Transactions that somebody else builds upon before the author's next one is known to them. */
function handedOver({ txns }: Trace): Set<number> {
  const over = new Set<number>();
  for (const { agent = 0, parents = [] } of txns) {
    for (const parent of parents) if ((txns[parent]!.agent ?? 0) !== agent) over.add(parent);
  }
  return over;
}

/** One bound document per agent, sealed when somebody builds upon it, and every hundred edits. */
function replayBound(trace: Trace): BoundDocument[] {
  const sealAfter = handedOver(trace);
  const sealOf = new Map<number, { readonly agent: number; readonly seal: number }>();
  const agents = Array.from({ length: trace.numAgents ?? 1 }, (_, agent) => {
    const bound = new BoundDocument(0xf000_0000 + agent * 1000);
    bound.attach();
    return { bound, heard: new Set<number>(), received: new Map<number, number>() };
  });
  const hear = (to: (typeof agents)[number], transaction: number): void => {
    const { agent, seal } = sealOf.get(transaction)!;
    const { updates } = agents[agent]!.bound;
    for (let next = to.received.get(agent) ?? 0; next < seal; next++)
      to.bound.receive(updates[next]!);
    to.received.set(agent, Math.max(seal, to.received.get(agent) ?? 0));
  };
  for (const [index, { agent = 0, parents = [], patches }] of trace.txns.entries()) {
    const self = agents[agent]!;
    for (const parent of unheardBy(trace, parents, self.heard)) {
      if (trace.txns[parent]!.agent !== agent && sealAfter.has(parent)) hear(self, parent);
    }
    const text = self.bound.ydoc.getText("t");
    self.bound.ydoc.transact(() => {
      for (const [position, deleted, inserted] of patches) {
        if (deleted > 0) text.delete(position, deleted);
        if (inserted !== "") text.insert(position, inserted);
      }
    });
    self.heard.add(index);
    if (sealAfter.has(index) || index % 100 === 99) self.bound.binding.flush();
    sealOf.set(index, { agent, seal: self.bound.updates.length });
  }
  for (const { bound } of agents) bound.binding.flush();
  for (const { bound } of agents) {
    for (const other of agents) for (const update of other.bound.updates) bound.receive(update);
  }
  return agents.map(({ bound }) => bound);
}

describe.skipIf(isDataMissing)("real editing sessions, typed into bound documents", () => {
  test.each(["friendsforever", "sveltecomponent"])(
    "[LIV-2] %s ends with its content everywhere, and in what was sealed",
    (name) => {
      const trace = readTrace(name);
      const bounds = replayBound(trace);
      const sealed = bounds.flatMap(({ updates }) => updates);
      const fromLog = yjsEngine.fold(sealed);
      for (const { ydoc, log } of bounds) {
        expect(ydoc.getText("t").toJSON()).toBe(trace.endContent);
        expect(log.parked).toEqual([]);
        expect(contentOf(ydoc)).toEqual(contentOf(bounds[0]!.ydoc));
        const logged = yjsEngine.fold(log.admitted.map(({ bytes }) => bytes));
        expect(toHex(logged.digestS(hash))).toBe(toHex(fromLog.digestS(hash)));
        expect(toHex(logged.digestC(hash))).toBe(toHex(fromLog.digestC(hash)));
      }
    },
  );
});
