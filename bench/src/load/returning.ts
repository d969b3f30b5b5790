import * as Y from "yjs";
import { performance } from "node:perf_hooks";
import { updateFrame } from "./client-frames.ts";
import type { ReturningJob, Sample } from "./jobs.ts";
import { Signal } from "./signal.ts";
import { clientIdOf } from "./typing.ts";
import { WireClient } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

const pasteLength = 1_000;
const document = "bench-returning";

/** A document that somebody keeps open, and a client that comes back to it many updates behind. */
export async function runReturning(job: ReturningJob): Promise<Sample> {
  const { url, wire } = job;
  const history = write(job);
  const failed = new Signal<never>();
  const onClosed = (reason: string): void => failed.reject(new Error(reason));
  let seen = 0;
  const typist = clientIdOf(1);
  const complete = new Signal<void>();
  const holder = new WireClient(
    { url, wire, document },
    {
      onContent: (client, _from, to) => {
        if (client === typist) seen = Math.max(seen, to);
        if (seen >= job.behind) complete.resolve();
      },
      onClosed,
    },
  );
  const writer = new WireClient({ url, wire, document }, { onContent: () => {}, onClosed });
  await Promise.race([Promise.all([holder.whenSynced(), writer.whenSynced()]), failed.promise]);
  const prefix = prefixOf(wire, document);
  for (const update of history.updates) {
    writer.send(updateFrame(prefix, update));
    // One round trip through the event loop per update keeps everybody's buffers small.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.race([complete.promise, failed.promise]);
  const answers: { took: number; bytes: number }[] = [];
  for (let time = 0; time < job.times; time += 1) {
    answers.push(await comeBack(job, history.now, history.vector));
  }
  holder.close();
  writer.close();
  const took = answers.map((answer) => answer.took).toSorted((a, b) => a - b);
  const bytes = answers.at(-1)?.bytes ?? Number.NaN;
  return {
    p50Ms: took[took.length >> 1] ?? Number.NaN,
    maxMs: took.at(-1) ?? Number.NaN,
    bytes,
    bytesRatio: bytes / history.diffBytes,
  };
}

/** Connects up to date, then asks as if it were not: connecting is not part of the answer's time. */
async function comeBack(
  { url, wire }: ReturningJob,
  now: Uint8Array,
  vector: Uint8Array,
): Promise<{ took: number; bytes: number }> {
  const answer = new Signal<{ took: number; bytes: number }>();
  let askedAt = 0;
  const client = new WireClient(
    { url, wire, document, vector: now },
    {
      onContent: () => {},
      onUpdate: (update, isStep2, at) => {
        if (isStep2 && askedAt > 0) answer.resolve({ took: at - askedAt, bytes: update.length });
      },
      onClosed: (reason) => answer.reject(new Error(reason)),
    },
  );
  await client.whenSynced();
  askedAt = performance.now();
  client.ask(vector);
  const result = await answer.promise;
  client.close();
  return result;
}

interface History {
  readonly updates: readonly Uint8Array[];
  /** What the returning client has, and what everybody has. */
  readonly vector: Uint8Array;
  readonly now: Uint8Array;
  /** The smallest answer: what Yjs itself would send. */
  readonly diffBytes: number;
}

/** Pastes all over the document by one person, then letters at places that jump, by another. */
function write({ bytes, behind }: ReturningJob): History {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  const text = doc.getText("text");
  doc.clientID = clientIdOf(0);
  for (let index = 0; index * pasteLength < bytes; index += 1) {
    text.insert((index * 7_919) % (text.length + 1), "x".repeat(pasteLength));
  }
  const vector = Y.encodeStateVector(doc);
  doc.clientID = clientIdOf(1);
  for (let index = 0; index < behind; index += 1) {
    // A sentence or two, then somewhere else.
    const jump = Math.floor(index / 100) * 9_973;
    text.insert((jump + index) % text.length, "y");
  }
  const diffBytes = Y.encodeStateAsUpdate(doc, vector).length;
  const history = { updates, vector, now: Y.encodeStateVector(doc), diffBytes };
  doc.destroy();
  return history;
}
