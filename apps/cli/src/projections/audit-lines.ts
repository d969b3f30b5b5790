import { HeddleError, HeddleErrorCode, toHex, type LogStore } from "@heddle/core";
import {
  decodeAuditEntry,
  lastAuditNumber,
  readJournalExtent,
  trimmedEntries,
  projectionLimits,
  type AuditEntry,
  type AuditValue,
  type ProjectionStore,
} from "@heddle/reconcile";

/** One entry of a journal, in words and hexadecimal. */
export interface AuditLine {
  readonly journal: "replica" | "projections";
  readonly number: number;
  readonly at: string;
  readonly by: string;
  readonly subject: Readonly<Record<string, string>>;
  readonly cause: string;
  readonly action: string;
  readonly result: string;
  readonly before?: AuditedText;
  readonly after?: AuditedText;
  readonly against?: AuditedText;
  /** The run of a job, or the case of a document. */
  readonly correlationId?: string;
  readonly detail: string;
}

interface AuditedText {
  /** What was kept of the value, as text. */
  readonly text: string;
  readonly bytes: number;
  readonly digest: string;
}

/** The newest entries of both journals by time; damaged ones are lines too. */
export async function readAuditLines(
  { log, projections }: { readonly log: LogStore; readonly projections: ProjectionStore },
  { limit, projection }: { readonly limit: number; readonly projection?: string | undefined },
): Promise<readonly AuditLine[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > auditLinesMax) {
    const message = `a journal is shown in 1 to ${auditLinesMax} lines`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  const lines = inOrder(await readOfProjections(projections, limit, projection));
  if (projection === undefined) lines.push(...inOrder(await readOfReplica(log, limit)));
  return lines
    .toSorted((a, b) => a.placeMs - b.placeMs)
    .slice(-limit)
    .map(({ line }) => line);
}

/** What is not shown of a journal, as it is not kept any more. */
export interface TrimmedJournal {
  readonly journal: AuditLine["journal"];
  /** Entries that made room for newer ones, or were too old, ever. */
  readonly trimmed: number;
}

/** Journals that have lost their oldest entries to their bounds. Numbers begin at 1 and have no gaps. */
export async function readTrimmed({
  log,
  projections,
}: {
  readonly log: LogStore;
  readonly projections: ProjectionStore;
}): Promise<readonly TrimmedJournal[]> {
  const ofProjections = trimmedEntries(await readJournalExtent(projections));
  let firstOfReplica = 1;
  for await (const [record] of log.readAudit()) {
    firstOfReplica = record?.number ?? 1;
    break;
  }
  const trimmed: TrimmedJournal[] = [
    { journal: "projections", trimmed: ofProjections },
    { journal: "replica", trimmed: firstOfReplica - 1 },
  ];
  return trimmed.filter((one) => one.trimmed > 0);
}

/** Its place in the journal is all that is known of it. */
export function isUnreadable({ at }: AuditLine): boolean {
  return at === "";
}

/** Lines of one answer. */
export const auditLinesMax = 100_000;

/** An entry that cannot be read is where its neighbours are: of those before it the last one, or else the next. */
function inOrder(entries: readonly Listed[]): Placed[] {
  let placeMs = entries.find(({ atMs }) => atMs !== undefined)?.atMs ?? 0;
  return entries.map(({ line, atMs }) => ({ line, placeMs: (placeMs = atMs ?? placeMs) }));
}

interface Listed {
  readonly line: AuditLine;
  /** Missing where the entry cannot be read. */
  readonly atMs: number | undefined;
}

interface Placed {
  readonly line: AuditLine;
  readonly placeMs: number;
}

async function readOfProjections(
  store: ProjectionStore,
  limit: number,
  projection: string | undefined,
): Promise<Listed[]> {
  const lines: Listed[] = [];
  const last = await lastAuditNumber(store);
  // From the end backwards: those of one projection may lie far apart.
  for (let upTo = last; upTo > 0 && lines.length < limit;) {
    const after = Math.max(0, upTo - projectionLimits.pageEntriesMax);
    const page = await store.readAudit(after, upTo - after);
    const found = page.map(({ number, value }) => {
      return lineOf("projections", number, value === "damaged" ? undefined : value);
    });
    lines.unshift(...found.filter((one) => isOf(one, projection)));
    upTo = after;
  }
  return lines.slice(-limit);
}

async function readOfReplica(log: LogStore, limit: number): Promise<Listed[]> {
  const lines: Listed[] = [];
  for await (const chunk of log.readAudit()) {
    for (const { number, bytes } of chunk) lines.push(lineOf("replica", number, bytes));
    if (lines.length > 2 * limit) lines.splice(0, lines.length - limit);
  }
  return lines.slice(-limit);
}

/** Of one that cannot be read nobody knows what it was of. */
function isOf({ line, atMs }: Listed, projection: string | undefined): boolean {
  const isAny = projection === undefined || atMs === undefined;
  return isAny || line.subject["projection"] === projection;
}

function lineOf(
  journal: AuditLine["journal"],
  number: number,
  bytes: Uint8Array | undefined,
): Listed {
  const entry = bytes && readable(bytes);
  if (entry === undefined) {
    const nothing = { at: "", by: "", subject: {}, cause: "", action: "", result: "" };
    const line = { journal, number, ...nothing, detail: "this entry cannot be read" };
    return { line, atMs: undefined };
  }
  const { atMs, by, cause, action, result, correlationId, detail } = entry;
  const { of: _, ...subject } = entry.subject;
  const named = Object.entries(subject).filter(([, part]) => part !== undefined);
  const before = textOf(entry.before);
  const after = textOf(entry.after);
  const against = textOf(entry.against);
  const line = {
    journal,
    number,
    at: timeText(atMs),
    by,
    subject: Object.fromEntries(named) as Record<string, string>,
    cause,
    action,
    result,
    ...(before && { before }),
    ...(after && { after }),
    ...(against && { against }),
    ...(correlationId && { correlationId: toHex(correlationId) }),
    detail,
  };
  return { line, atMs };
}

/** A wall clock may have said anything: what is no date is shown as it is. */
function timeText(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? `${atMs} ms` : date.toISOString();
}

function readable(bytes: Uint8Array): AuditEntry | undefined {
  try {
    return decodeAuditEntry(bytes);
  } catch {
    return undefined; // Shown as an entry that cannot be read.
  }
}

function textOf(value: AuditValue | undefined): AuditedText | undefined {
  if (value === undefined) return undefined;
  const text = new TextDecoder().decode(value.bytes);
  return { text, bytes: value.size, digest: toHex(value.digest) };
}
