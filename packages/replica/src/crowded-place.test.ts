import { afterAll, beforeAll, expect, test } from "vitest";
import * as Y from "yjs";

import { findCulprits } from "./find-culprits.ts";
import { characterBefore, characterOf } from "./hostile.fixture.ts";
import type { TriedEnvelope } from "./log-trials.ts";
import { ProcessJudge } from "./node-process-judge.ts";

// A flood of ever new clients that all say "from the start on, before this character", while somebody
// types at the start. Yjs compares each of them with all that lie between: everybody pays, the later the
// more, and so does whoever opens the document.

let judge: ProcessJudge;
beforeAll(() => {
  judge = new ProcessJudge();
});
afterAll(() => judge.close());

const clientsOfTheFlood = 2_000;
/** Wrote the text that all of them insert into. */
const author = 4_000_000;
/** So small that the flood is far above it on any machine, and the rest far below. */
const budget = { baseMs: 40, perKibMs: 0.5 };

interface Flood {
  readonly log: readonly TriedEnvelope[];
  /** Places of the letters of the one who types. */
  readonly letters: ReadonlySet<number>;
}

function flood(sourceOf: (client: number) => string): Flood {
  const log: TriedEnvelope[] = [];
  const letters = new Set<number>();
  const put = (payload: Uint8Array, source: string): void => {
    log.push({ payload, source, group: undefined, isRecalled: false, isReleased: false });
  };
  const doc = new Y.Doc();
  doc.clientID = 5_000_000;
  const receive = (payload: Uint8Array, source: string): void => {
    put(payload.slice(), source);
    received.push(payload);
  };
  let received: Uint8Array[] = [];
  receive(characterOf(author, 0, "~".repeat(clientsOfTheFlood)), sourceOf(1));
  for (let client = 1; client <= clientsOfTheFlood; client++) {
    receive(characterBefore(client, author, clientsOfTheFlood - client), sourceOf(client));
    if (client % 50 > 0) continue;
    for (const payload of received) Y.applyUpdate(doc, payload);
    received = [];
    const before = Y.encodeStateVector(doc);
    doc.getText("text").insert(0, "H");
    letters.add(log.length);
    put(Y.encodeStateAsUpdate(doc, before), "ada");
  }
  return { log, letters };
}

async function search({ log }: Flood) {
  const trials = judge.openLog(budget);
  try {
    await trials.add(log);
    return await findCulprits(trials);
  } finally {
    await trials.close();
  }
}

test("[DOC-9] a flood where somebody types: the flood is to blame, and no letter of theirs", async () => {
  const crowd = flood(() => "mallory");
  const findings = await search(crowd);
  expect(findings.outcome).toBe("blamed");
  const places = findings.outcome === "blamed" ? [...findings.culprits.keys()] : [];
  expect(places.filter((place) => crowd.letters.has(place))).toEqual([]);
  expect(places.length).toBeGreaterThan(clientsOfTheFlood / 4);
}, 120_000);

test("[DOC-9] a flood of many who are not much by themselves: nobody is to blame", async () => {
  const findings = await search(flood((client) => `one of many ${client % 200}`));
  expect(findings).toMatchObject({ outcome: "unclear" });
}, 120_000);
