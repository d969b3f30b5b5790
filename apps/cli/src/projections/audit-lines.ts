import { toHex, type LogStore } from "@heddle/core";
import {
  decodeAuditEntry,
  lastAuditNumber,
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
  const lines = await readOfProjections(projections, limit, projection);
  if (projection === undefined) lines.push(...(await readOfReplica(log, limit)));
  return lines.toSorted((a, b) => (a.at < b.at ? -1 : 1)).slice(-limit);
}

async function readOfProjections(
  store: ProjectionStore,
  limit: number,
  projection: string | undefined,
): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  const last = await lastAuditNumber(store);
  // From the end backwards: those of one projection may lie far apart.
  for (let upTo = last; upTo > 0 && lines.length < limit;) {
    const after = Math.max(0, upTo - projectionLimits.pageEntriesMax);
    const page = await store.readAudit(after, upTo - after);
    const found = page.map(({ number, value }) => {
      return lineOf("projections", number, value === "damaged" ? undefined : value);
    });
    lines.unshift(...found.filter((line) => isOf(line, projection)));
    upTo = after;
  }
  return lines.slice(-limit);
}

async function readOfReplica(log: LogStore, limit: number): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  for await (const chunk of log.readAudit()) {
    for (const { number, bytes } of chunk) lines.push(lineOf("replica", number, bytes));
    if (lines.length > 2 * limit) lines.splice(0, lines.length - limit);
  }
  return lines.slice(-limit);
}

function isOf(line: AuditLine, projection: string | undefined): boolean {
  return projection === undefined || line.subject["projection"] === projection;
}

function lineOf(
  journal: AuditLine["journal"],
  number: number,
  bytes: Uint8Array | undefined,
): AuditLine {
  const entry = bytes && readable(bytes);
  if (entry === undefined) {
    const nothing = { at: "", by: "", subject: {}, cause: "", action: "", result: "" };
    return { journal, number, ...nothing, detail: "this entry cannot be read" };
  }
  const { atMs, by, cause, action, result, correlationId, detail } = entry;
  const { of: _, ...subject } = entry.subject;
  const named = Object.entries(subject).filter(([, part]) => part !== undefined);
  const before = textOf(entry.before);
  const after = textOf(entry.after);
  const against = textOf(entry.against);
  return {
    journal,
    number,
    at: new Date(atMs).toISOString(),
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
