import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { isHeddleError, MemoryDisk, MemoryLogStore, parseDocumentName } from "@heddle/core";
import { admitUpdate, DocumentKnowledge, isRoutine, parseUpdate } from "@heddle/document";
import { Replica } from "@heddle/replica";
import { ephemeralDeviceKey, ProcessJudge } from "@heddle/replica/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";

import { environment } from "../integration/relay-under-test.ts";
import { repositoryFolder } from "../processes/relay-process.ts";
import { isCorpusThere, recordedUpdates } from "./corpus.ts";
import { mutate, seededRandom } from "./mutants.ts";

/**
 * Goal: what is logged without having been tried, Yjs can take, on whatever document.
 * Method: what was found before, first; then mutants of real updates, admitted to an empty and to a
 * populated document as a relay would, each tried in a worker with a watchdog: applied, encoded,
 * loaded anew. HEDDLE_TEST_SCALE searches longer.
 */
const mutants = 20_000 * Number(process.env["HEDDLE_TEST_SCALE"] ?? 1);
const seed = Number(process.env["HEDDLE_SEED"] ?? 20_261_121);

let judge: ProcessJudge;
beforeAll(() => {
  judge = new ProcessJudge();
});
afterAll(() => judge.close());

interface Finding {
  readonly found: string;
  /** Base64 of V1 updates: what the document holds, and what comes. */
  readonly base: readonly string[];
  readonly updates: readonly string[];
  readonly verdict: "accept" | "quarantine" | "close";
}

const folder = path.join(repositoryFolder, "test/fixtures/hostile");
const findings = readdirSync(folder).map((file): [string, Finding] => {
  return [path.basename(file, ".json"), JSON.parse(readFileSync(path.join(folder, file), "utf8"))];
});

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

async function openReplica(disk: MemoryDisk): Promise<{ replica: Replica; store: MemoryLogStore }> {
  const store = await MemoryLogStore.open(disk, environment.random);
  const own = { store, environment, signer: ephemeralDeviceKey(), engine: "test" };
  return { store, replica: await Replica.open({ ...own, judge }) };
}

test.each(findings)("[DOC-7] found before: %s", async (_, { base, updates, verdict }) => {
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk);
  const document = await replica.acquire(parseDocumentName("notes"));
  const submit = async (update: Uint8Array): Promise<string> => {
    try {
      const refusal = await new Promise((resolve) => {
        if (document.submit(update, {}, resolve) !== "judging") resolve(undefined);
      });
      return refusal ? "quarantine" : "accept";
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      return "close";
    }
  };
  for (const update of base) expect(await submit(bytesOf(update))).toBe("accept");
  const verdicts = await Promise.all(updates.map((update) => submit(bytesOf(update))));
  expect(verdicts.at(-1)).toBe(verdict);
  await document.whenSettled();
  await replica.close();
  await store.close();
  const reopened = await openReplica(disk);
  const loaded = new Y.Doc();
  const again = await reopened.replica.acquire(parseDocumentName("notes"));
  Y.applyUpdate(loaded, again.encodeSince());
  expect(loaded.store.pendingStructs).toBeNull();
  Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(loaded));
});

/** Two people with everything that Yjs has: text with formats, lists, maps, elements. */
function richUpdates(random: () => number): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const docs = [7, 4_000_000_000].map((clientID) => Object.assign(new Y.Doc(), { clientID }));
  for (const doc of docs) {
    doc.on("update", (update: Uint8Array, _origin, _doc, { local }: Y.Transaction) => {
      if (local) updates.push(update);
    });
  }
  const below = (count: number): number => Math.floor(random() * count);
  for (let step = 0; step < 200; step++) {
    const doc = docs[below(2)]!;
    edit(doc, below);
    if (below(4) === 0) for (const other of docs) if (other !== doc) exchange(doc, other);
  }
  return updates;
}

function exchange(from: Y.Doc, to: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
}

function edit(doc: Y.Doc, below: (count: number) => number): void {
  const text = doc.getText("text");
  const list = doc.getArray<unknown>("list");
  const map = doc.getMap<unknown>("map");
  const at = below(text.length + 1);
  const edits: (() => void)[] = [
    () => text.insert(at, ["a", "hé", "日本", "x😀"][below(4)]!),
    () => text.delete(Math.floor(at / 2), Math.min(2, text.length - Math.floor(at / 2))),
    () => text.format(0, text.length, { bold: below(2) === 0 ? true : null }),
    () => text.insertEmbed(at, { image: below(9) }),
    () => list.insert(below(list.length + 1), [1, "two", { three: [below(9)] }, new Y.Map()]),
    () => list.delete(0, Math.min(1, list.length)),
    () => map.set(`key ${below(3)}`, below(2) === 0 ? below(9) : new Y.Array()),
    () => map.delete(`key ${below(3)}`),
    () => doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p"), new Y.XmlText("hi")]),
  ];
  edits[below(edits.length)]!();
}

/** One byte set to a small value or next to what it was: most of what comes out is still an update. */
function nudge(original: Uint8Array, random: () => number): Uint8Array {
  const bytes = original.slice();
  const at = Math.floor(random() * bytes.length);
  const value = Math.floor(random() * 12);
  bytes[at] = random() < 0.5 ? value : bytes[at]! + value - 6;
  return bytes;
}

/** What of an update would be logged untried on top of `base`; `undefined` when nothing. */
function loggedUntried(update: Uint8Array, base: Uint8Array | undefined): Uint8Array | undefined {
  const knowledge = new DocumentKnowledge();
  const known = base && admitUpdate(knowledge, parseUpdate(base)).admitted;
  if (known) knowledge.learn(known);
  try {
    const { admitted } = admitUpdate(knowledge, parseUpdate(update));
    return admitted && isRoutine(admitted) ? admitted.bytes : undefined;
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}

describe.skipIf(!isCorpusThere())("mutants of real updates", () => {
  test("[DOC-7] what is logged untried, Yjs can take on any document", async () => {
    const random = seededRandom(seed);
    const pool = [...recordedUpdates(300), ...richUpdates(random)];
    const whole = Y.mergeUpdates(pool);
    const populated = new Y.Doc();
    Y.applyUpdate(populated, whole);
    const half = new Y.Doc();
    for (const update of pool.slice(0, pool.length / 2)) Y.applyUpdate(half, update);
    const bases = [undefined, Y.encodeStateAsUpdate(populated), Y.encodeStateAsUpdate(half)];
    const failed: unknown[] = [];
    let tried = 0;
    for (let index = 0; index < mutants; index++) {
      const original = pool[Math.floor(random() * pool.length)]!;
      const mutant = index % 4 === 0 ? mutate(original, pool, random) : nudge(original, random);
      const base = bases[index % bases.length];
      const step = loggedUntried(mutant, base);
      if (step === undefined) continue;
      tried++;
      const trial = { urgency: "urgent", base: base ? [base] : [], budgetMs: 1_000 } as const;
      const verdict = await judge.judge({ ...trial, steps: [step] });
      const finding = { verdict, index, mutant: Buffer.from(mutant).toString("base64") };
      if (verdict.outcome !== "ok") failed.push(finding);
    }
    expect(failed).toEqual([]);
    console.info(`${mutants} mutants (seed ${seed}), ${tried} of them logged untried: 0 failed`);
    expect(tried).toBeGreaterThan(mutants / 200);
  });
});
