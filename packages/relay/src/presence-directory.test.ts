import type { DocumentId, Environment } from "@heddle/core";
import { PeerPresence, presenceQuestion } from "@heddle/replica";
import type { PeerChoice } from "@heddle/sync";
import { expect, test } from "vitest";

import { decodeAwareness, encodeAwarenessItems, type AwarenessItem } from "./awareness-codec.ts";
import type { PresenceOwner } from "./presence.ts";
import { PresenceDirectory } from "./presence-directory.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

const notes = "notes" as DocumentId;

interface Said {
  readonly items: readonly AwarenessItem[];
  readonly to: PeerChoice;
}

/** The presence of one relay, without rooms, and what it says to its peers. */
function newRelay(limits: Partial<typeof defaultRelayLimits> = {}) {
  const time = { ms: 0 };
  const clock = { nowMs: () => time.ms, monotonicMs: () => time.ms };
  const counters = newRelayCounters();
  const environment = { clock } as unknown as Environment;
  const said: Said[] = [];
  const presence = new PeerPresence((_document, update, to) => {
    said.push({ items: decodeAwareness(update).items, to });
  });
  const context = { limits: { ...defaultRelayLimits, ...limits }, counters, environment };
  const directory = new PresenceDirectory(context, { presence });
  return {
    counters,
    directory,
    /** What it has said since it was asked last. */
    async said(): Promise<Said[]> {
      await Promise.resolve();
      return said.splice(0);
    },
    pass(ms: number) {
      time.ms += ms;
      directory.pulse();
    },
    hear(peer: number, payload: Uint8Array) {
      presence.onEvent({ name: "ephemeral", peer, document: notes, payload });
    },
    end: (peer: number) =>
      presence.onEvent({ name: "session.closed", peer, code: "HEDDLE_SESSION_CLOSED" }),
    opens: (peer: number) => presence.onEvent({ name: "presence.due", peer, document: notes }),
  };
}

const of = (client: number, clock: number, state: string | undefined = "{}"): Uint8Array => {
  return encodeAwarenessItems([{ client, clock, state }]);
};
const goodbye = (client: number, clock: number): Uint8Array => {
  return encodeAwarenessItems([{ client, clock, state: undefined }]);
};
const toOthers = (except: number): PeerChoice => ({ only: undefined, except });
const only = (peer: number): PeerChoice => ({ only: peer, except: undefined });

class Connection implements PresenceOwner {
  readonly heardMs = 0;
  probe(): void {}
}

test("[RLY-18] news of a peer is passed on to the others, once", async () => {
  const relay = newRelay();
  relay.hear(1, of(7, 1));
  expect(await relay.said()).toEqual([
    { items: [{ client: 7, clock: 1, state: "{}" }], to: toOthers(1) },
  ]);
  relay.hear(2, of(7, 1));
  relay.hear(1, of(7, 1));
  expect(await relay.said()).toEqual([]);
  expect(relay.counters.awarenessIgnored).toBe(0);
});

test("[RLY-18] a session that ends takes its clients with it, and the table goes when nobody comes back", async () => {
  const relay = newRelay();
  relay.hear(1, of(7, 1));
  relay.hear(2, of(8, 1));
  await relay.said();
  relay.end(1);
  expect(await relay.said()).toMatchObject([{ items: [{ client: 7, state: undefined }] }]);
  relay.hear(2, of(8, 2));
  relay.pass(20_000);
  expect(relay.directory.size).toBe(1);
  relay.end(2);
  for (let second = 0; second < 62; second++) relay.pass(1_000);
  expect(relay.directory.size).toBe(0);
});

test("[RLY-18] a peer that opens the document is told of everybody, and one that asks is, once a second", async () => {
  const relay = newRelay();
  relay.opens(1);
  expect(await relay.said()).toEqual([]);
  relay.hear(1, of(7, 1));
  await relay.said();
  relay.opens(2);
  expect(await relay.said()).toMatchObject([{ items: [{ client: 7 }], to: only(2) }]);
  for (let count = 0; count < 5; count++) relay.hear(2, presenceQuestion);
  expect(await relay.said()).toMatchObject([{ items: [{ client: 7 }], to: only(2) }]);
  expect(relay.counters.awarenessIgnored).toBe(4);
});

test("[RLY-18] who is taken for gone and is not is asked, by the way that they came", async () => {
  const relay = newRelay();
  relay.hear(1, of(7, 3));
  await relay.said();
  relay.hear(2, goodbye(7, 3));
  expect(await relay.said()).toEqual([
    { items: [{ client: 7, clock: 3, state: undefined }], to: only(1) },
  ]);
  expect(relay.directory.of(notes).clients).toEqual([7]);
});

test("[RLY-18] a peer that comes back with a client at the clock of its goodbye is told so", async () => {
  const relay = newRelay();
  relay.hear(1, of(7, 3));
  relay.end(1);
  await relay.said();
  relay.hear(2, of(7, 3));
  expect(await relay.said()).toEqual([
    { items: [{ client: 7, clock: 3, state: undefined }], to: only(2) },
  ]);
  relay.hear(2, of(7, 4));
  expect(await relay.said()).toMatchObject([{ items: [{ client: 7, clock: 4 }], to: toOthers(2) }]);
});

test("[RLY-12] the peer that brought a client hears that somebody here claims to be them", async () => {
  const relay = newRelay();
  relay.hear(1, of(7, 3));
  await relay.said();
  const claim = { client: 7, clock: 9, state: '{"name":"somebody"}' };
  relay.directory.of(notes).receive([claim], new Connection());
  expect(await relay.said()).toEqual([{ items: [claim], to: only(1) }]);
});

test("[RLY-13] what a peer says and cannot be read is counted, and changes nothing", async () => {
  const relay = newRelay();
  relay.hear(1, Uint8Array.of(9, 9, 9));
  relay.hear(1, of(7, 1, "{no json"));
  expect(relay.counters.awarenessIgnored).toBe(2);
  expect(await relay.said()).toEqual([]);
  relay.pass(1_000);
  expect(relay.directory.size).toBe(0);
});

test("[RLY-18] of a crowd a peer is told a part at once, in frames that fit", async () => {
  const relay = newRelay();
  const state = JSON.stringify("x".repeat(1_000));
  for (let client = 0; client < 1_000; client++) relay.hear(1, of(client, 1, state));
  await relay.said();
  relay.opens(2);
  const told = (await relay.said()).flatMap(({ items }) => items);
  expect(told.length).toBeGreaterThan(200);
  expect(told.length).toBeLessThan(300);
});
