import { equalBytes, type DocumentId, type StoreId } from "@heddle/core";
import type { AuditValue, ContentDigests, DriftCase } from "@heddle/reconcile";

import type { AuditNote } from "./audit-journal.ts";
import type { HeardDigests } from "./look-at-document.ts";

/** What a peer said of a document, and who it was. */
export interface Heard {
  readonly peer: StoreId;
  readonly theirs: HeardDigests;
}

/** Why somebody thinks that a document is not right, beside what a look at it says. */
export interface Suspicion {
  readonly heard?: Heard | undefined;
  /** One side lacks what this peer, or this replica, has of the log, for longer than it should. */
  readonly lagging?: StoreId | undefined;
}

/** A case of drift while it is in memory: until it is repaired, or somebody gives it up for another. */
export interface OpenCase {
  readonly document: DocumentId;
  /** In the journal, of all entries of the case. */
  readonly correlationId: Uint8Array;
  readonly before: ContentDigests | undefined;
  readonly lagging: StoreId | undefined;
  state: DriftCase;
  heard: Heard | undefined;
  after: ContentDigests | undefined;
  isRunning: boolean;
  /** The end that was written down last: each is, once. */
  concluded?: DriftCase;
  /** What that said; the same is written down again only when an audit has tried again. */
  said?: string;
  isAudited: boolean;
  stopWanting?: (() => void) | undefined;
  /** Somebody waits for a peer to say what it shows. */
  hear?: ((heard: Heard | "agreed") => void) | undefined;
  /** Somebody waits for records to come. */
  mend?: (() => void) | undefined;
}

type Noted = Pick<OpenCase, "document" | "before" | "after" | "correlationId"> &
  Partial<Pick<OpenCase, "heard" | "lagging">>;

/** What the journal says of the end of a case. */
export function noteOf(
  { document, before, after, heard, lagging, correlationId }: Noted,
  ended: Pick<AuditNote, "cause" | "action" | "result" | "detail">,
): AuditNote {
  const peer = heard?.peer ?? lagging;
  return {
    ...ended,
    subject: { of: "document", document, ...(peer && { peer }) },
    before: valueOf(before),
    after: valueOf(after),
    against: valueOf(heard?.theirs),
    correlationId,
  };
}

export function isSame(a: ContentDigests, b: ContentDigests): boolean {
  const isContent = a.content && b.content ? equalBytes(a.content, b.content) : true;
  return a.engine === b.engine && equalBytes(a.state, b.state) && isContent;
}

function valueOf(digests: ContentDigests | undefined): AuditValue | undefined {
  if (digests === undefined) return undefined;
  return { digest: digests.content ?? digests.state, size: 0, bytes: new Uint8Array() };
}
