import { compareHlc, type Attribution, type Envelope, type Hlc } from "@heddle/core";
import { ClockRanges, type ParsedUpdate } from "@heddle/document";

/** How closely dropped envelopes can be told apart by time, as long as there are few. */
export const attributionWindowMs = 10 * 60_000;
/** Attributions of one document; more are joined until half as many are left. */
export const attributionsMax = 1_024;

/** What an envelope says about its writer; `update` is its payload, read. */
export function attributionOf(envelope: Envelope, update: ParsedUpdate | undefined): Attribution {
  const { lane, seq, hlc, principal, correlationId, reason } = envelope;
  const clients = new Map<number, number[]>();
  for (const { client, clock, endClock } of update?.runs ?? []) {
    clients.set(client, joined(clients.get(client), [clock, endClock]));
  }
  return {
    lane,
    fromSeq: seq,
    toSeq: seq,
    envelopes: 1,
    firstHlc: hlc,
    lastHlc: hlc,
    clients,
    ...(principal && { principal: new Uint8Array(principal) }),
    ...(correlationId && { correlationId: new Uint8Array(correlationId) }),
    ...(reason && { reason: new Uint8Array(reason) }),
    isJoined: false,
  };
}

/**
 * Joins what one writer did for one reason within a while, and more the more there is: first over
 * longer times, then whatever the reason, at last over writers.
 */
export function coalesce(
  attributions: readonly Attribution[],
  countMax: number = attributionsMax,
): Attribution[] {
  let windowMs = attributionWindowMs;
  let list = joinBy(attributions, (one) => `${nameOf(one)} ${windowOf(one, windowMs)}`);
  if (list.length <= countMax) return list;
  const enough = countMax / 2;
  // Up to some two years; doubling longer would join nothing more that matters.
  for (; list.length > enough && windowMs < 2 ** 16 * attributionWindowMs; windowMs *= 2) {
    list = joinBy(list, (one) => `${nameOf(one)} ${windowOf(one, windowMs * 2)}`);
  }
  if (list.length > enough) {
    list = joinBy(list.map(withoutReason), nameOf);
  }
  if (list.length > enough) {
    const withoutWriter = list.map(({ principal, ...rest }) => {
      return principal ? { ...rest, isJoined: true } : rest;
    });
    list = joinBy(withoutWriter, (one) => one.lane);
  }
  return list;
}

function withoutReason(attribution: Attribution): Attribution {
  const rest: Record<string, unknown> = { ...attribution };
  delete rest["correlationId"];
  delete rest["reason"];
  return rest as unknown as Attribution;
}

/** Attributions are joined with others of the same key, in the order of their first envelopes. */
function joinBy(
  attributions: readonly Attribution[],
  keyOf: (attribution: Attribution) => string,
): Attribution[] {
  const byKey = new Map<string, Attribution>();
  for (const attribution of attributions) {
    const key = keyOf(attribution);
    const other = byKey.get(key);
    byKey.set(key, other ? join(other, attribution) : attribution);
  }
  return [...byKey.values()];
}

function join(a: Attribution, b: Attribution): Attribution {
  const clients = new Map<number, readonly number[]>(a.clients);
  for (const [client, ranges] of b.clients)
    clients.set(client, joined(clients.get(client), ranges));
  return {
    ...a,
    fromSeq: Math.min(a.fromSeq, b.fromSeq),
    toSeq: Math.max(a.toSeq, b.toSeq),
    envelopes: a.envelopes + b.envelopes,
    firstHlc: earlier(a.firstHlc, b.firstHlc),
    lastHlc: earlier(a.lastHlc, b.lastHlc) === a.lastHlc ? b.lastHlc : a.lastHlc,
    clients,
    isJoined: a.isJoined || b.isJoined,
  };
}

function joined(a: readonly number[] | undefined, b: readonly number[]): number[] {
  const ranges = new ClockRanges([...(a ?? [])]);
  ranges.addAll(b);
  return [...ranges.pairs];
}

function earlier(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) <= 0 ? a : b;
}

function windowOf({ firstHlc }: Attribution, windowMs: number): number {
  return Math.floor(firstHlc.wallMs / windowMs);
}

/** Of what is kept apart whatever the time: lane, writer, correlation id, reason. */
function nameOf({ lane, principal, correlationId, reason, isJoined }: Attribution): string {
  const parts = [principal, correlationId, reason].map((bytes) => (bytes ? bytes.join(",") : "-"));
  return [lane, ...parts, isJoined].join(" ");
}
