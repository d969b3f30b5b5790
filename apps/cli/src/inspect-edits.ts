import {
  decodeEnvelope,
  fromHex,
  HeddleError,
  HeddleErrorCode,
  isReleased,
  limits,
  toHex,
  type LogStore,
  type StoredDocument,
} from "@heddle/core";
import { traceFieldsOf } from "@heddle/replica";
import { nodeHash } from "@heddle/replica/node";

import type { CommandIo } from "./command-io.ts";
import { visibleText } from "./visible-text.ts";

/** Where an edit is that an application gave a correlation id. */
interface FoundEdit {
  readonly document: string;
  readonly id: string;
  /** `pruned`: a checkpoint stands for it, the journal says who wrote it. */
  readonly state: "in the log" | "recalled" | "quarantined" | "pruned";
  /** Of an update in quarantine there is no envelope. */
  readonly lane?: string;
  readonly seq?: number;
  /** When it was written, by the clock of the device that did; of quarantine, when it was refused. */
  readonly at: string;
  /** In the application's words, on one visible line. */
  readonly reason?: unknown;
}

/**
 * The bytes that are meant: up to 16 in hexadecimal, or the trace id of a W3C traceparent.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID`.
 */
export function correlationIdOf(text: string): string {
  const [, traceId = text] = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(text) ?? [];
  const bytes = fromHex(traceId.toLowerCase());
  if (bytes && bytes.length > 0 && bytes.length <= limits.correlationIdBytesMax) {
    return toHex(bytes);
  }
  const message = `${JSON.stringify(text)} is no correlation id: give its bytes in hexadecimal`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}

/** `heddle inspect <data> --edit <id>`. Exit status 1 when nothing has that id. */
export async function showEdits(
  store: LogStore,
  correlationId: string,
  { json = false }: { readonly json?: boolean },
  io: CommandIo,
): Promise<number> {
  const edits: FoundEdit[] = [];
  for await (const document of store.readDocuments()) {
    for await (const edit of editsOf(store, document, correlationId)) edits.push(edit);
  }
  if (json) io.out(visibleText(JSON.stringify({ correlationId, edits })));
  else for (const edit of edits) io.out(lineOf(edit));
  if (!json && edits.length === 0) io.err(`heddle: nothing here has ${correlationId}`);
  return edits.length > 0 ? 0 : 1;
}

async function* editsOf(
  store: LogStore,
  { id, name }: StoredDocument,
  correlationId: string,
): AsyncGenerator<FoundEdit> {
  const isMeant = (given: Uint8Array | undefined): boolean => {
    return given !== undefined && toHex(given) === correlationId;
  };
  const about = { document: name, id };
  for (const { principal: _, ...pruned } of await store.readAttributions(id)) {
    if (!isMeant(pruned.correlationId)) continue;
    const { lane, fromSeq: seq, firstHlc, reason } = pruned;
    yield { ...about, state: "pruned", lane, seq, at: timeOf(firstHlc.wallMs), ...saidIn(reason) };
  }
  const recalls = (await store.readRecalls(id)).filter((recall) => !isReleased(recall));
  for await (const chunk of store.readLog(id)) {
    for (const { bytes } of chunk) {
      const envelope = decodeEnvelope(nodeHash, bytes);
      if (!isMeant(envelope.correlationId)) continue;
      const { lane, seq, hlc, reason } = envelope;
      const state = recalls.some((recall) => recall.id === toHex(envelope.id))
        ? "recalled"
        : "in the log";
      yield { ...about, state, lane, seq, at: timeOf(hlc.wallMs), ...saidIn(reason) };
    }
  }
  for (const refused of await store.readQuarantine(id)) {
    if (!isMeant(refused.correlationId)) continue;
    const { atMs, editReason } = refused;
    yield { ...about, state: "quarantined", at: timeOf(atMs), ...saidIn(editReason) };
  }
}

function saidIn(reason: Uint8Array | undefined): Pick<FoundEdit, "reason"> {
  const { editReason } = traceFieldsOf({ correlationId: undefined, reason });
  return editReason === undefined ? {} : { reason: editReason };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function lineOf({ document, lane, seq, state, at, reason }: FoundEdit): string {
  const where = lane === undefined ? "" : `, envelope ${seq} of lane ${lane}`;
  const why = reason === undefined ? "" : `: ${visibleText(JSON.stringify(reason))}`;
  return `  ${visibleText(document)}${where}, ${at}, ${state}${why}`;
}
