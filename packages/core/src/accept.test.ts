import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { acceptEnvelope, type Acceptance } from "./accept.ts";
import { chainOf, testLane } from "./envelope.fixture.ts";
import type { Envelope } from "./envelope.ts";
import { HeddleErrorCode } from "./errors.ts";
import type { LaneId } from "./ids.ts";
import type { LanePosition } from "./version-vector.ts";

/** What a replica keeps of one document: the positions, and the envelopes in the order of effect. */
class Ledger {
  readonly positions = new Map<LaneId, LanePosition>();
  readonly applied: Envelope[] = [];

  offer(envelope: Envelope): Acceptance {
    const idAt = (seq: number) => this.#lane(envelope.lane)[seq - 1]?.id;
    const acceptance = acceptEnvelope(this.positions.get(envelope.lane), envelope, idAt);
    if (acceptance.outcome === "applied") {
      this.positions.set(envelope.lane, acceptance.position);
      this.applied.push(envelope);
    }
    return acceptance;
  }

  #lane(lane: LaneId): Envelope[] {
    return this.applied.filter((envelope) => envelope.lane === lane);
  }
}

const forked = { outcome: "refused", code: HeddleErrorCode.laneForked };

/** Short chains of a few lanes, delivered at least once each, in any order, with repeats. */
const deliveries = fc
  .array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 })
  .chain((lengths) => {
    const chains = lengths.map((length, index) => chainOf(testLane(index + 1), length));
    const all = chains.flat();
    const repeats = fc.array(fc.constantFrom(...all), { maxLength: 10 });
    const order = repeats.chain((extra) => {
      const every = [...all, ...extra];
      return fc.shuffledSubarray(every, { minLength: every.length });
    });
    return fc.record({ chains: fc.constant(chains), order });
  });

describe("acceptEnvelope", () => {
  test("[LOG-3] any order with repeats, offered until quiet, applies each envelope once, in order", () => {
    fc.assert(
      fc.property(deliveries, ({ chains, order }) => {
        const ledger = new Ledger();
        for (let waiting = order; waiting.length > 0;) {
          const still = waiting.filter(
            (envelope) => ledger.offer(envelope).outcome === "awaiting-earlier",
          );
          expect(still.length).toBeLessThan(waiting.length);
          waiting = still;
        }
        for (const chain of chains) {
          const { lane, id, seq } = chain.at(-1)!;
          expect(ledger.applied.filter((envelope) => envelope.lane === lane)).toEqual(chain);
          expect(ledger.positions.get(lane)).toEqual({ seq, head: id });
        }
        for (const envelope of order) expect(ledger.offer(envelope).outcome).toBe("duplicate");
      }),
    );
  });

  test("[LOG-3] each answer says what a replica that remembers everything would say", () => {
    const lane = testLane(1);
    const honest = chainOf(lane, 6);
    // Another history from position 3 on, as a copied store would write it.
    const branch = [...honest.slice(0, 2), ...chainOf(lane, 4, { salt: 1, after: honest[1] })];
    const offers = fc.array(fc.constantFrom(...honest, ...branch), { maxLength: 30 });
    fc.assert(
      fc.property(offers, (order) => {
        const ledger = new Ledger();
        for (const envelope of order) {
          const held = [...ledger.applied];
          const expected = expectedOutcome(held, envelope);
          expect(ledger.offer(envelope)).toMatchObject(expected);
          const isApplied = expected.outcome === "applied";
          expect(ledger.applied).toEqual(isApplied ? [...held, envelope] : held);
        }
      }),
    );
  });

  test("[LOG-3] what waits is told exactly what is missing", () => {
    const chain = chainOf(testLane(1), 9);
    const at = (seq: number) => ({ seq, head: chain[seq - 1]!.id });
    expect(acceptEnvelope(undefined, chain[1]!, none)).toEqual(missing(1, 1));
    expect(acceptEnvelope(undefined, chain[8]!, none)).toEqual(missing(1, 8));
    expect(acceptEnvelope(at(3), chain[6]!, none)).toEqual(missing(4, 6));
    expect(acceptEnvelope(at(3), chain[4]!, none)).toEqual(missing(4, 4));
  });

  test("[LOG-3] two envelopes at one position are a fork, wherever in the lane", () => {
    const lane = testLane(1);
    const honest = chainOf(lane, 3);
    const ledger = new Ledger();
    for (const envelope of honest) ledger.offer(envelope);
    const [forkAtStart, forkInside] = chainOf(lane, 2, { salt: 1 });
    const forkAtHead = chainOf(lane, 1, { salt: 2, after: honest[1] })[0]!;
    for (const fork of [forkAtStart!, forkInside!, forkAtHead]) {
      expect(ledger.offer(fork)).toEqual(forked);
    }
    expect(ledger.positions.get(lane)?.seq).toBe(3);
  });

  test("[LOG-2] the next envelope that names another predecessor is refused", () => {
    const lane = testLane(1);
    const [first] = chainOf(lane, 1);
    const [, second] = chainOf(lane, 2, { salt: 1 });
    const ledger = new Ledger();
    ledger.offer(first!);
    expect(ledger.offer(second!)).toEqual(forked);
    expect(new Ledger().offer({ ...first!, prev: first!.id })).toEqual(forked);
  });

  test("[LOG-3] below a checkpoint, where ids are gone, an old envelope is a repeat", () => {
    const chain = chainOf(testLane(1), 4);
    const [fork] = chainOf(testLane(1), 1, { salt: 1 });
    const have = { seq: 4, head: chain[3]!.id };
    const idAt = (seq: number) => (seq > 2 ? chain[seq - 1]!.id : undefined);
    expect(acceptEnvelope(have, chain[0]!, idAt)).toEqual({ outcome: "duplicate" });
    expect(acceptEnvelope(have, fork!, idAt)).toEqual({ outcome: "duplicate" });
    expect(acceptEnvelope(have, chain[2]!, idAt)).toEqual({ outcome: "duplicate" });
    // The head itself is always known: a checkpoint at the very end hides no fork there.
    const atHead = { seq: 1, head: chain[0]!.id };
    expect(acceptEnvelope(atHead, chain[0]!, none)).toEqual({ outcome: "duplicate" });
    expect(acceptEnvelope(atHead, fork!, none)).toEqual(forked);
  });
});

function none(): undefined {}

function missing(fromSeq: number, toSeq: number): Acceptance {
  return { outcome: "awaiting-earlier", fromSeq, toSeq };
}

/** The rule said in another way: compare with the held list instead of with a position. */
function expectedOutcome(held: readonly Envelope[], envelope: Envelope): Partial<Acceptance> {
  if (held.some(({ id }) => Buffer.compare(id, envelope.id) === 0)) return { outcome: "duplicate" };
  if (envelope.seq > held.length + 1) return { outcome: "awaiting-earlier" };
  const before = held[envelope.seq - 2];
  const isNext = envelope.seq === held.length + 1;
  const fits = before === undefined || Buffer.compare(before.id, envelope.prev) === 0;
  return isNext && fits ? { outcome: "applied" } : { outcome: "refused" };
}
