import type {
  DocumentEntry,
  DocumentId,
  Environment,
  LogStore,
  Signer,
  StoreId,
} from "@heddle/core";
import { driftLimits, type DriftLimits } from "@heddle/reconcile";
import type { PeerStanding } from "@heddle/sync";

import type { Replica } from "../replica.ts";
import type { StateFolder } from "../state-folder.ts";
import { defaultDigestLimits, type DigestLimits } from "./document-digests.ts";
import type { DriftReport } from "./drift-report.ts";

/** When copies are looked at, and how long is waited for what. Milliseconds and items. */
export interface DriftTimes extends DriftLimits {
  /** Between two audits of all documents; 0 for none. Peers compare what is at rest as often. */
  readonly auditIntervalMs: number;
  /**
   * Whether an audit reads the records of documents that nobody has open: no, where somebody scrubs the store
   * away from this thread and says what is found.
   */
  readonly auditsRecords: boolean;
  /** From the start to the first one. */
  readonly firstAuditMs: number;
  /** After each document that an audit looked at, so many times what that took. */
  readonly auditRestFactor: number;
  /** A side that lacks something of a log for so long, while nothing comes of it, is a case. */
  readonly laggingMs: number;
  /** For the ordinary exchange, or the other side, to make it right. */
  readonly waitMs: number;
  /** For a peer to say what it shows now. */
  readonly compareMs: number;
  /** For peers to bring what is damaged. */
  readonly refetchMs: number;
  /** Documents that are repaired, or given up, at a time; more are found by the next audit. */
  readonly casesMax: number;
  /** Documents that wait to be looked at; as above. */
  readonly looksMax: number;
  /** Documents that one peer, and all together, may have looked at by what they say: at once, and in an hour. */
  readonly heardPerPeerMax: number;
  readonly heardMax: number;
  readonly digests: DigestLimits;
}

/** Once a day, the first time after an hour. */
export const defaultDriftTimes: DriftTimes = {
  ...driftLimits,
  auditIntervalMs: 24 * 60 * 60_000,
  auditsRecords: true,
  firstAuditMs: 60 * 60_000,
  auditRestFactor: 4,
  laggingMs: 15 * 60_000,
  waitMs: 5_000,
  compareMs: 10_000,
  refetchMs: 30_000,
  casesMax: 256,
  looksMax: 1_024,
  heardPerPeerMax: 64,
  heardMax: 256,
  digests: defaultDigestLimits,
};

/** What a {@link DriftWatch} works with. */
export interface DriftWatchOptions {
  readonly replica: Replica;
  /** The store of that replica. */
  readonly store: LogStore;
  readonly environment: Environment;
  readonly signer: Signer;
  /** Folds in this thread without one. */
  readonly folder?: StateFolder | undefined;
  readonly times?: Partial<DriftTimes> | undefined;
  readonly onReport?: ((report: DriftReport) => void) | undefined;
}

/** What peers are asked for; the host of the wire does it. */
export interface DriftPeers {
  /** Compares a document with all who have it open. */
  compare(document: DocumentId): void;
  /** What is on the disk is other than they were told. */
  reload(document: DocumentId): void;
  /** Exchanges a document with all; the returned function takes that back. */
  want(entry: DocumentEntry): () => void;
  /** What a peer has of the log that is not here, and the other way; `undefined` where that is not known now. */
  standing(document: DocumentId, peer: StoreId): PeerStanding | undefined;
}
