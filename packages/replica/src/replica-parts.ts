import {
  LaneWriter,
  openLane,
  type DocumentId,
  type HybridClock,
  type RecalledEnvelope,
  type SpaceId,
} from "@heddle/core";

import { defaultApplyBudget } from "./apply-judge.ts";
import { defaultAuditBudget } from "./audit-budget.ts";
import { Auditor } from "./auditor.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Committer, type CommitterOptions } from "./committer.ts";
import type { DocumentAccess } from "./document-access.ts";
import type { DocumentHost } from "./document-host.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { defaultDocumentBytesMax, type ReplicaOptions } from "./replica-options.ts";

/** What the parts of a replica share. */
export interface SharedParts {
  readonly options: ReplicaOptions;
  readonly space: SpaceId;
  readonly clock: HybridClock;
  readonly counters: ReplicaCounters;
  readonly access: DocumentAccess;
}

/** Without a judge nothing is audited. */
export function newAuditor(
  { options, counters, access }: SharedParts,
  recall: (document: ReplicaDocument, recalls: readonly RecalledEnvelope[]) => Promise<void>,
): Auditor | undefined {
  const { environment, judge, store, auditDelayMs = 2_000, auditBudget } = options;
  const budget = { ...defaultAuditBudget, ...auditBudget };
  const tools = { store, environment, counters, access, delayMs: auditDelayMs, budget, recall };
  return judge && new Auditor({ ...tools, judge });
}

/** Without a folder no checkpoints are built. */
export function newCheckpointer(
  { options, space, clock, counters, access }: SharedParts,
  onChanged: (document: DocumentId) => void,
): Checkpointer | undefined {
  const { store, environment, folder, signer, checkpointPolicy: policy } = options;
  const working = { access, counters, policy, onChanged };
  const builder = { store, environment, signer, space, tick: () => clock.tick(), ...working };
  return folder && new Checkpointer({ ...builder, folder });
}

/** The committer opens the lane of this process, before it first seals. */
export function newCommitter(
  { options, space, clock, counters }: SharedParts,
  listeners: Pick<CommitterOptions, "observer" | "onFailure">,
): Committer {
  const { store, environment, signer, engine, telemetry } = options;
  const { hash, random } = environment;
  return new Committer({
    store,
    clock: environment.clock,
    logger: environment.logger,
    counters,
    telemetry,
    openLane: async () => {
      const opening = { space, signer, hash, random, clock, engine };
      return new LaneWriter(await openLane(opening), hash, clock);
    },
    ...listeners,
  });
}

/** What documents need of their replica: its bounds, and what only the whole of it knows. */
export function newHost(
  { options, counters }: SharedParts,
  own: Omit<
    DocumentHost,
    "environment" | "counters" | "judge" | "applyBudget" | "documentBytesMax"
  >,
): DocumentHost {
  const { environment, judge, applyBudget, documentBytesMax = defaultDocumentBytesMax } = options;
  return {
    environment,
    counters,
    judge,
    applyBudget: { ...defaultApplyBudget, ...applyBudget },
    documentBytesMax,
    ...own,
  };
}
