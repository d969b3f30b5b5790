import {
  compareHlc,
  decodeEnvelope,
  PayloadCodec,
  toHex,
  type DocumentId,
  type Environment,
  type Hlc,
  type LaneId,
  type LogStore,
} from "@heddle/core";

import { parsePayload } from "../log-reading.ts";

/** An envelope that writes what another lane had written before it, under the same Yjs client. */
export interface SharedClientEnvelope {
  /** In hex. */
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
  readonly client: number;
}

interface Claim {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

interface Written {
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
  readonly hlc: Hlc;
  readonly claims: readonly Claim[];
}

/**
 * Envelopes that claim structs which another lane claims too: a cloned profile, or an application that
 * set a client id by hand. Which of two lanes was first is decided by clock reading, lane and seq, and so
 * alike by everybody who has the whole log, in whatever order it came (I9 is not touched: all of them
 * stay in the log).
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function findSharedClients(
  { store, environment }: { readonly store: LogStore; readonly environment: Environment },
  document: DocumentId,
): Promise<readonly SharedClientEnvelope[]> {
  const lanesOf = new Map<number, Set<LaneId>>();
  const written: Written[] = [];
  for await (const chunk of store.readLogByArrival(document)) {
    for (const stored of chunk) {
      const envelope = decodeEnvelope(environment.hash, stored.bytes);
      if (envelope.codec !== PayloadCodec.yjsV1) continue;
      const claims = parsePayload(envelope).runs.map(({ client, clock, endClock }) => {
        lanesOf.set(client, (lanesOf.get(client) ?? new Set()).add(envelope.lane));
        return { client, from: clock, to: endClock };
      });
      if (claims.length === 0) continue;
      const { lane, seq, hlc } = envelope;
      written.push({ id: toHex(envelope.id), lane, seq, hlc: { ...hlc }, claims });
    }
  }
  const shared = new Set([...lanesOf].flatMap(([client, { size }]) => (size > 1 ? [client] : [])));
  return shared.size === 0 ? [] : losersOf(written, shared);
}

function losersOf(
  written: readonly Written[],
  shared: ReadonlySet<number>,
): SharedClientEnvelope[] {
  const taken = new Map<number, { readonly lane: LaneId; from: number; to: number }[]>();
  /** Lanes that came second stay so: what they write next stands on what is left out. */
  const second = new Set<string>();
  const losers: SharedClientEnvelope[] = [];
  for (const { id, lane, seq, claims } of written.toSorted(inOrder)) {
    const ofShared = claims.filter(({ client }) => shared.has(client));
    const lost = ofShared.find(({ client, from, to }) => {
      const isOverlapping = (one: { lane: LaneId; from: number; to: number }): boolean =>
        one.lane !== lane && from < one.to && to > one.from;
      return second.has(`${lane} ${client}`) || taken.get(client)?.some(isOverlapping);
    });
    if (lost) {
      second.add(`${lane} ${lost.client}`);
      losers.push({ id, lane, seq, client: lost.client });
      continue;
    }
    for (const { client, from, to } of ofShared) {
      const ranges = taken.get(client) ?? [];
      taken.set(client, ranges);
      const last = ranges.at(-1);
      if (last?.lane === lane && last.to === from) last.to = to;
      else ranges.push({ lane, from, to });
    }
  }
  return losers;
}

function inOrder(a: Written, b: Written): number {
  return compareHlc(a.hlc, b.hlc) || (a.lane < b.lane ? -1 : a.lane > b.lane ? 1 : a.seq - b.seq);
}
