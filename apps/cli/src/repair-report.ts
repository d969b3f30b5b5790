import type { DocumentId, LaneId } from "@heddle/core";
import type { Finding } from "@heddle/storage-level";

/** What a repair saved, and what it could not. */
export interface RepairReport {
  readonly documents: readonly RepairedDocument[];
  /** Commit groups that something names and of which nothing is left; nobody may know what was in them. */
  readonly groupsLost: number;
  readonly records: number;
  /** Places that are damaged, or where something may be missing that nothing names. */
  readonly damages: number;
  /** The first thousand, and notices. */
  readonly findings: readonly Finding[];
}

export interface RepairedDocument {
  /** Its id, where `isNameLost`. */
  readonly name: string;
  readonly id: DocumentId;
  readonly isNameLost: boolean;
  readonly envelopes: number;
  /** Of these, written under a new lane, as the record of their own is lost. */
  readonly resealed: number;
  /** What has to come from other replicas or a backup. */
  readonly missing: readonly EnvelopeRange[];
  /** Whose content is saved, in a checkpoint, and of which nothing else is left. */
  readonly historyLost: readonly EnvelopeRange[];
  /** Lanes that something names and that are lost as a whole. */
  readonly unknownLanes: number;
}

export interface EnvelopeRange {
  readonly lane: LaneId;
  readonly fromSeq: number;
  readonly toSeq: number;
}

/**
 * Whether it is proved that everything is there that the store ever acknowledged, byte for byte: every
 * file was read to its end and is whole, all commit groups from the first to the one that head and
 * witness name follow each other, and every envelope that they name was saved under its own lane.
 * What cannot be proved counts as missing.
 */
export function isRepairComplete({ documents, groupsLost, damages }: RepairReport): boolean {
  return damages === 0 && groupsLost === 0 && documents.every(isDocumentComplete);
}

export function isDocumentComplete(document: RepairedDocument): boolean {
  const { isNameLost, resealed, missing, historyLost, unknownLanes } = document;
  const lost = missing.length + historyLost.length + unknownLanes + resealed;
  return lost === 0 && !isNameLost;
}
