import { isReleased, toHex, type DocumentId, type Environment, type LogStore } from "@heddle/core";
import type { Envelope, RecalledEnvelope } from "@heddle/core";

import { traceNoteOf } from "./edit-trace.ts";
import type { LogTrials, TriedEnvelope } from "./log-trials.ts";
import { openBase, readCheckpoint, type LogBase } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import { walkLog } from "./walk-log.ts";

/** What a recall says about where an envelope lies. */
export type EnvelopePlace = Pick<
  RecalledEnvelope,
  "id" | "lane" | "seq" | "correlationId" | "editReason"
>;

export interface LogSending {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly document: DocumentId;
  readonly trials: LogTrials;
}

/** What waits in this thread; the rest of the log is on the disk, or over there. */
const chunkMax = { bytes: 256 * 1024, envelopes: 512 } as const;
/** How long this thread may be at it before others have their turn. */
const sliceMsMax = 8;

/**
 * Hands the log of a document over, envelope by envelope. Returns where each of them lies, in the same
 * order; nowhere, for the state of a checkpoint that stands for what was pruned.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function sendLog(
  sending: LogSending,
): Promise<readonly (EnvelopePlace | undefined)[]> {
  const { store, environment, document, trials } = sending;
  const { clock, hash, scheduler } = environment;
  const stored = await store.readDocument(document);
  if (stored === undefined) return [];
  const all = await store.readRecalls(document);
  const recalls = new Map(all.map((recall) => [recall.id, recall]));
  const places: (EnvelopePlace | undefined)[] = [];
  let chunk: TriedEnvelope[] = [];
  const base = await baseOf(sending);
  if (base) {
    places.push(undefined);
    await trials.add([{ ...stateOf(base), isRecalled: false, isReleased: true }]);
  }
  let bytes = 0;
  let sliceStartMs = clock.monotonicMs();
  const positions = new Map(base?.vector);
  for await (const envelope of walkLog({ store, hash, document: stored, positions })) {
    const { lane, seq, payload } = envelope;
    const id = toHex(envelope.id);
    places.push({ id, lane, seq, ...traceNoteOf(envelope) });
    const recall = recalls.get(id);
    const isOperators = recall !== undefined && isReleased(recall);
    const isRecalled = recall !== undefined && !isOperators;
    chunk.push({ ...triedFrom(envelope), isRecalled, isReleased: isOperators });
    bytes += payload.length;
    if (bytes >= chunkMax.bytes || chunk.length >= chunkMax.envelopes) {
      await trials.add(chunk);
      chunk = [];
      bytes = 0;
      sliceStartMs = clock.monotonicMs();
    } else if (clock.monotonicMs() - sliceStartMs > sliceMsMax) {
      await new Promise<void>((resolve) => scheduler.after(0, resolve));
      sliceStartMs = clock.monotonicMs();
    }
  }
  await trials.add(chunk);
  return places;
}

/** What a pruned log stands on. A log that is whole is sent whole: then everybody can be blamed. */
async function baseOf({ store, environment, document }: LogSending): Promise<LogBase | undefined> {
  if ((await store.readFloors(document)).size === 0) return undefined;
  const tools = { store, environment };
  const recalls = await recallsInForce(store, document);
  const checkpoint = await readCheckpoint(tools, document, recalls);
  return checkpoint && openBase(tools, checkpoint);
}

/** As if it had been released: there is no leaving it out. */
function stateOf({ state }: LogBase) {
  return { payload: new Uint8Array(state.bytes), source: "checkpoint", group: undefined };
}

/** How many bytes of a tag sources behind one address have in common. */
const groupBytes = 4;

function triedFrom({ payload, sourceTag, principal }: Envelope) {
  const who = sourceTag ?? principal;
  return {
    // A copy that can be handed over: the payload is a view into a record.
    payload: new Uint8Array(payload),
    source: who && toHex(who),
    group: sourceTag && toHex(sourceTag.subarray(0, groupBytes)),
  };
}
