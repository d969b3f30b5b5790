import { isReleased, toHex, type DocumentId, type LogStore, type RefusalNote } from "@heddle/core";
import { readForkedLanes, traceFieldsOf, type LaneBranch } from "@heddle/replica";
import { nodeHash } from "@heddle/replica/node";

import type { CommandIo } from "./command-io.ts";
import { visibleText } from "./visible-text.ts";

/** What a document was spared, as `heddle inspect` shows it. */
export interface Refusals {
  /** Updates that were never logged, in the order of their refusal. */
  readonly quarantine: readonly RefusalDetails[];
  /** Envelopes that stay in the log and are skipped. */
  readonly recalled: readonly (RefusalDetails & { readonly lane: string; readonly seq: number })[];
  /** Lanes that were written twice: what is here of both histories. */
  readonly forked: readonly ForkDetails[];
}

interface ForkDetails {
  readonly lane: string;
  readonly device: string;
  readonly seq: number;
  readonly at: string;
  readonly branches: readonly LaneBranch[];
}

interface RefusalDetails {
  readonly id: string;
  readonly reason: string;
  readonly validatorVersion: number;
  readonly at: string;
  /** Of the update; envelopes are counted with the log. */
  readonly bytes?: number;
  readonly principal?: string | undefined;
  /** Which connection it came from, as the log of the relay that refused it says. */
  readonly source?: string | undefined;
  /** False when only this note is kept. */
  readonly isKept?: boolean;
  /** What the application said of the edit: an id in hex, and a reason on one visible line. */
  readonly correlationId?: string | undefined;
  readonly editReason?: string | undefined;
  /** Set when it is not in force any more. */
  readonly released?: { readonly at: string; readonly by: string } | undefined;
}

export async function readRefusals(store: LogStore, document: DocumentId): Promise<Refusals> {
  const quarantine = await store.readQuarantine(document);
  const recalled = await store.readRecalls(document);
  const forked = await readForkedLanes({ store, environment: { hash: nodeHash } }, document);
  return {
    forked: forked.map(({ lane, device, seq, foundAtMs, branches }) => {
      return { lane, device, seq, at: new Date(foundAtMs).toISOString(), branches };
    }),
    quarantine: quarantine.map((refused) => {
      return Object.assign(detailsOf(refused), {
        bytes: refused.size,
        isKept: refused.update !== undefined,
        source: refused.sourceTag && toHex(refused.sourceTag),
        principal: refused.principal && Buffer.from(refused.principal).toString("utf8"),
      });
    }),
    recalled: recalled.map((refused) => {
      return Object.assign(detailsOf(refused), { lane: refused.lane, seq: refused.seq });
    }),
  };
}

export function printRefusals({ quarantine, recalled, forked }: Refusals, io: CommandIo): void {
  for (const { lane, device, seq, at, branches } of forked) {
    io.out(
      `    forked lane ${lane} of device ${device}, written twice from ${seq} on, found at ${at}`,
    );
    for (const { id, isLogged, envelopes, bytes } of branches) {
      const where = isLogged ? "in the log" : "beside it";
      io.out(`      branch ${id}: ${envelopes} envelopes, ${bytes} bytes, ${where}`);
    }
    if (branches.length === 0) io.out("      branches too large to be kept");
  }
  for (const refused of quarantine) {
    const { id, at, bytes, reason, principal, source, isKept } = refused;
    const from = source === undefined ? "" : ` from source ${source}`;
    const kept = isKept ? "" : " (not kept)";
    const by = principal === undefined ? "" : ` from ${visibleText(JSON.stringify(principal))}`;
    io.out(
      `    quarantined ${id} at ${at}, ${bytes} bytes${kept}${by}${from}: ${reason}${wordsOf(refused)}`,
    );
  }
  for (const refused of recalled) {
    const { id, at, lane, seq, reason } = refused;
    io.out(
      `    recalled ${id} at ${at}, envelope ${seq} of lane ${lane}: ${reason}${wordsOf(refused)}`,
    );
  }
}

function wordsOf({ correlationId, editReason, released }: RefusalDetails): string {
  const edit = editWords({ correlationId, editReason });
  const word = released
    ? `; released at ${released.at} by ${visibleText(JSON.stringify(released.by))}`
    : "";
  return `${edit && `; ${edit}`}${word}`;
}

/** What an application said of its edit, for people; nothing where it said nothing. */
export function editWords({
  correlationId,
  editReason,
}: Pick<RefusalDetails, "correlationId" | "editReason">): string {
  const id = correlationId === undefined ? "" : `edit ${correlationId}`;
  const why = editReason === undefined ? "" : visibleText(JSON.stringify(editReason));
  return [id, why].filter(Boolean).join(" ");
}

type IdentifiedNote = RefusalNote & { readonly id: string };

function detailsOf(note: IdentifiedNote): RefusalDetails {
  const { id, reason, validatorVersion, atMs, release, correlationId, editReason } = note;
  const said = traceFieldsOf({ correlationId, reason: editReason });
  const released = release &&
    isReleased(note) && { at: new Date(release.atMs).toISOString(), by: release.by };
  const at = new Date(atMs).toISOString();
  return { id, reason, validatorVersion, at, ...said, ...(released && { released }) };
}
