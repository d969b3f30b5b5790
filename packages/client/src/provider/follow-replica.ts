import type { DocumentId } from "@heddle/core/base";
import type { DriftReport, LiveReplica } from "@heddle/replica";
import type { KeptRefusal } from "@heddle/sync";

export interface ReplicaListener {
  /** What was written here is not taken by a peer. */
  readonly onRefused: (refusal: KeptRefusal) => void;
  readonly onDrift: (report: DriftReport) => void;
}

/** Tells what a replica says of one document. @returns ends it. */
export function followReplica(
  { peers, drift }: LiveReplica,
  document: DocumentId,
  { onRefused, onDrift }: ReplicaListener,
): () => void {
  const stops = [
    peers?.on("sync", (event) => {
      if (event.name === "lane.refused" && event.refusal.document === document) {
        onRefused(event.refusal);
      }
    }),
    drift?.on("drift", (report) => {
      if (report.document === document) onDrift(report);
    }),
  ];
  return () => {
    for (const stop of stops) stop?.();
  };
}
