import type { DocumentId, LogStore, RefusalNote } from "@heddle/core";

import type { CommandIo } from "./command-io.ts";
import { visibleText } from "./visible-text.ts";

/** What a document was spared, as `heddle inspect` shows it. */
export interface Refusals {
  /** Updates that were never logged, in the order of their refusal. */
  readonly quarantine: readonly RefusalDetails[];
  /** Envelopes that stay in the log and are skipped. */
  readonly recalled: readonly (RefusalDetails & { readonly lane: string; readonly seq: number })[];
}

interface RefusalDetails {
  readonly id: string;
  readonly reason: string;
  readonly validatorVersion: number;
  readonly at: string;
  /** Of the update; envelopes are counted with the log. */
  readonly bytes?: number;
  readonly principal?: string | undefined;
}

export async function readRefusals(store: LogStore, document: DocumentId): Promise<Refusals> {
  const quarantine = await store.readQuarantine(document);
  const recalled = await store.readRecalls(document);
  return {
    quarantine: quarantine.map((refused) => {
      return Object.assign(detailsOf(refused), {
        bytes: refused.update.length,
        principal: refused.principal && Buffer.from(refused.principal).toString("utf8"),
      });
    }),
    recalled: recalled.map((refused) => {
      return Object.assign(detailsOf(refused), { lane: refused.lane, seq: refused.seq });
    }),
  };
}

export function printRefusals({ quarantine, recalled }: Refusals, io: CommandIo): void {
  for (const { id, at, bytes, reason, principal } of quarantine) {
    const by = principal === undefined ? "" : ` from ${visibleText(JSON.stringify(principal))}`;
    io.out(`    quarantined ${id} at ${at}, ${bytes} bytes${by}: ${reason}`);
  }
  for (const { id, at, lane, seq, reason } of recalled) {
    io.out(`    recalled ${id} at ${at}, envelope ${seq} of lane ${lane}: ${reason}`);
  }
}

type IdentifiedNote = RefusalNote & { readonly id: string };

function detailsOf({ id, reason, validatorVersion, atMs }: IdentifiedNote): RefusalDetails {
  return { id, reason, validatorVersion, at: new Date(atMs).toISOString() };
}
