import type {
  DocumentHistory,
  Environment,
  HeddleError,
  LogStore,
  Signer,
  Verifier,
} from "@heddle/core";

import type { AuditBudget } from "./audit-budget.ts";
import type { ApplyBudget, ApplyJudge } from "./apply-judge.ts";
import type { OnDamage } from "./damaged-documents.ts";
import type { ParkingBounds } from "./parking-bounds.ts";
import type { CheckpointPolicy } from "./checkpoint-policy.ts";
import type { StateFolder } from "./state-folder.ts";
import type { ReplicaTelemetry } from "./telemetry.ts";

/** Room for a dozen of the largest updates at once. */
export const defaultTrialBytesMax = 192 * 1024 * 1024;
/** What browsers and trials still load; books have one or two. */
export const defaultDocumentBytesMax = 64 * 1024 * 1024;

/** What a replica runs on, and its bounds. */
export interface ReplicaOptions {
  /** Handed in open; whoever opened it closes it, after the replica. */
  readonly store: LogStore;
  readonly environment: Environment;
  readonly signer: Signer;
  /** Name and version written into lane descriptors. */
  readonly engine: string;
  /** How long a document that nobody uses stays in memory. */
  readonly idleMs?: number;
  readonly telemetry?: ReplicaTelemetry | undefined;
  /** Told of documents that do not prove themselves when somebody opens them, each once. */
  readonly onDamage?: OnDamage | undefined;
  /** Tries what could harm those who open a document (DOC-7). Whoever made it closes it. */
  readonly judge?: ApplyJudge | undefined;
  readonly applyBudget?: Partial<ApplyBudget>;
  /** Held in memory for trials, running and waiting, of all documents. */
  readonly trialBytesMax?: number | undefined;
  /** Above it a document grows no more; deletes are still taken. */
  readonly documentBytesMax?: number | undefined;
  /** How long an audit waits after it was asked for. */
  readonly auditDelayMs?: number;
  readonly auditBudget?: Partial<AuditBudget>;
  readonly parking?: Partial<ParkingBounds>;
  /** Makes the states of checkpoints; without it none are built. Whoever made it closes it. */
  readonly folder?: StateFolder | undefined;
  readonly checkpointPolicy?: Partial<CheckpointPolicy> | undefined;
  /** Whether documents that are new keep what checkpoints cover. Default `keep`. */
  readonly history?: DocumentHistory | undefined;
  /**
   * The record that makes the space of this replica; without one it is in the open space, where whoever is
   * let in may write. Documents of a space keep their history.
   */
  readonly genesis?: Uint8Array | undefined;
  /** Checks the signatures of membership records; needed with a genesis. */
  readonly verifier?: Verifier | undefined;
  /** What the states of checkpoints that were opened last may take in memory, inflated. */
  readonly stateCacheBytesMax?: number;
}

/** Whether a replica takes anything, and why not. */
export type ReplicaState =
  | { readonly name: "ready" }
  /** The store is fenced: nothing is accepted until it is verified and open again. */
  | { readonly name: "suspended"; readonly error: HeddleError }
  | { readonly name: "closed" };
