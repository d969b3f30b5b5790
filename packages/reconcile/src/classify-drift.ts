import { equalBytes } from "@heddle/core";

import type { AuditCause } from "./audit-entry.ts";

/** Digests S and C of a document, however it was put together. */
export interface ContentDigests {
  /** Name and version of the engine, and what it was told to leave out: others cannot be compared. */
  readonly engine: string;
  readonly state: Uint8Array;
  readonly content?: Uint8Array | undefined;
}

/**
 * What one look at a document found. Digests that nobody made are missing: what cannot be compared
 * accuses nobody.
 */
export interface DriftEvidence {
  /** How the log here stands to the one of the peer; `unknown` where there is no peer. */
  readonly logs: "equal" | "behind" | "ahead" | "apart" | "unknown";
  /** A peer shows later envelopes of a lane, and nobody brings the earlier ones. */
  readonly hasGap: boolean;
  /** The log refers to what is not in it. */
  readonly lacksDependency: boolean;
  /** What is shown holds less than the log, and waits for that. */
  readonly shownLacks?: boolean;
  /** What is shown holds something, from elsewhere, that refers to what is in no log. */
  readonly awaitsOthers?: boolean;
  /** Records of the document that cannot be read, or do not prove themselves. */
  readonly damages: number;
  /** Envelopes without any record, which later ones or the kept vector name. */
  readonly lost?: number;
  /** Lanes that were written twice, and clients that two lanes wrote. */
  readonly forks: number;
  /** Envelopes of a client that two lanes wrote, which are not left out yet: the log alone says so. */
  readonly shared?: number;
  /** Of what is shown here. */
  readonly shown?: ContentDigests | undefined;
  /** Of the checkpoint and the log on the disk here, put together anew. */
  readonly rebuilt?: ContentDigests | undefined;
  /** Of the log alone, without any checkpoint, where all of it is here. */
  readonly refolded?: ContentDigests | undefined;
  /** Of what the peer shows. */
  readonly theirs?: ContentDigests | undefined;
}

/** Causes that a document can have; see docs/drift.md. */
export type DriftCause = Extract<
  AuditCause,
  | "behind"
  | "gap"
  | "missing-dependency"
  | "damaged-store"
  | "damaged-state"
  | "engine"
  | "fork"
  | "unexplained"
>;

/** Whose copy is wrong. */
export type DriftSide = "here" | "there" | "both" | "unknown";

export interface DriftFinding {
  readonly cause: DriftCause;
  readonly side: DriftSide;
  /** For people. */
  readonly why: string;
}

/**
 * Says why two copies of a document differ, or one differs from its own log; `undefined` when nothing
 * that was compared does. The first that applies: what explains everything after it comes first.
 */
export function classifyDrift(evidence: DriftEvidence): DriftFinding | undefined {
  return (
    ofTheDisk(evidence) ?? ofTheLogs(evidence) ?? ofWhatIsHere(evidence) ?? ofThePeer(evidence)
  );
}

function ofTheDisk({ damages, lost = 0 }: DriftEvidence): DriftFinding | undefined {
  if (damages > 0) {
    return found("damaged-store", "here", `${damages} records of the store are damaged or missing`);
  }
  if (lost === 0) return undefined;
  return found("gap", "here", `${lost} envelopes are gone that later ones or the vector name`);
}

/** With other logs the documents have to differ. */
function ofTheLogs({ logs, hasGap, forks }: DriftEvidence): DriftFinding | undefined {
  if (logs === "equal" || logs === "unknown") return undefined;
  if (logs === "apart" && forks > 0) {
    return found("fork", "both", "a lane has two histories");
  }
  if (hasGap)
    return found("gap", "there", "later envelopes are shown, and nobody brings the earlier");
  if (logs === "behind") return found("behind", "here", "the peer has more of the log");
  if (logs === "ahead") return found("behind", "there", "the peer has less of the log");
  return found("behind", "both", "each side has what the other has not");
}

function ofWhatIsHere(evidence: DriftEvidence): DriftFinding | undefined {
  const { lacksDependency, shownLacks, awaitsOthers, shared = 0 } = evidence;
  const { shown, rebuilt, refolded } = evidence;
  if (shared > 0) return found("fork", "both", "two lanes have written as one Yjs client");
  if (lacksDependency) {
    return found("missing-dependency", "here", "the log refers to what is not in it");
  }
  if (differ(rebuilt, refolded)) {
    return found("damaged-store", "here", "the checkpoint is not what the log adds up to");
  }
  if (shownLacks || differ(shown, rebuilt ?? refolded)) {
    return found("damaged-state", "here", "what is shown is not what the log adds up to");
  }
  if (awaitsOthers) {
    const why = "what is shown waits for something that did not come here, from elsewhere";
    return found("missing-dependency", "unknown", why);
  }
  return undefined;
}

function ofThePeer(evidence: DriftEvidence): DriftFinding | undefined {
  const { theirs, forks } = evidence;
  const ours = evidence.refolded ?? evidence.rebuilt ?? evidence.shown;
  if (ours === undefined || theirs === undefined) return undefined;
  if (!areUnequal(ours, theirs)) return undefined;
  if (ours.engine !== theirs.engine) {
    return found("engine", "unknown", `${ours.engine} here, ${theirs.engine} there`);
  }
  if (forks > 0) return found("fork", "both", "two lanes have written as one Yjs client");
  if (evidence.refolded) {
    return found("unexplained", "there", "the whole log is here and adds up to something else");
  }
  return found("unexplained", "unknown", "equal logs add up to unequal documents");
}

/** Only what can be compared can differ. */
function differ(a: ContentDigests | undefined, b: ContentDigests | undefined): boolean {
  return a !== undefined && b !== undefined && a.engine === b.engine && areUnequal(a, b);
}

function areUnequal(a: ContentDigests, b: ContentDigests): boolean {
  if (!equalBytes(a.state, b.state)) return true;
  return a.content !== undefined && b.content !== undefined && !equalBytes(a.content, b.content);
}

function found(cause: DriftCause, side: DriftSide, why: string): DriftFinding {
  return { cause, side, why };
}
