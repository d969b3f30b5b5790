import {
  decodeEnvelope,
  PayloadCodec,
  type Attribution,
  type Hash,
  type LaneId,
  type LogStore,
  type VersionVector,
} from "@heddle/core";

import { attributionOf, coalesce } from "./attribution-journal.ts";
import { parsePayload } from "./log-reading.ts";
import type { VerifiedCheckpoint } from "./read-checkpoint.ts";

export interface PruneTools {
  readonly store: LogStore;
  readonly hash: Hash;
  /** Envelopes that one batch drops. */
  readonly stepEnvelopes?: number | undefined;
}

const stepEnvelopesDefault = 4_096;

/**
 * Drops the envelopes that `checkpoint` covers, and the checkpoints before it. Goes on from wherever an
 * earlier call was cut off. The caller has read `checkpoint` from the store, and keeps readers away.
 *
 * @returns how many envelopes were dropped.
 */
export async function pruneLog(
  { store, hash, stepEnvelopes = stepEnvelopesDefault }: PruneTools,
  { vector, number, header: { document } }: VerifiedCheckpoint,
): Promise<number> {
  let dropped = 0;
  let step = new PruneStep();
  const write = async (): Promise<void> => {
    const existing = await store.readAttributions(document);
    const floors = step.floors;
    const prune = { document, floors, ...changesOf(existing, step.attributions) };
    await store.append({ prune: [prune] });
    dropped += step.envelopes;
    step = new PruneStep();
  };
  for await (const chunk of store.readLog(document)) {
    for (const { lane, seq, bytes } of chunk) {
      if (seq > seqOf(vector, lane)) continue;
      const envelope = decodeEnvelope(hash, bytes);
      const update = envelope.codec === PayloadCodec.yjsV1 ? parsePayload(envelope) : undefined;
      step.add(attributionOf(envelope, update));
      if (step.envelopes >= stepEnvelopes) await write();
    }
  }
  if (step.envelopes > 0) await write();
  if ((await store.readCheckpoints(document)).length > 1) {
    const floors = new Map<LaneId, number>();
    await store.append({ prune: [{ document, floors, checkpointsBelow: number }] });
  }
  return dropped;
}

class PruneStep {
  readonly floors = new Map<LaneId, number>();
  attributions: Attribution[] = [];
  envelopes = 0;

  add(attribution: Attribution): void {
    this.envelopes++;
    this.floors.set(attribution.lane, attribution.toSeq);
    this.attributions.push(attribution);
    // Now and then, so that a step does not hold what thousands of envelopes said one by one.
    if (this.attributions.length >= 1_024) this.attributions = coalesce(this.attributions);
  }
}

/** What has to be written so that the store holds `existing` and `added`, joined. */
export function changesOf(
  existing: readonly Attribution[],
  added: readonly Attribution[],
): { forget: Attribution[]; attributions: Attribution[] } {
  const all = coalesce([...existing, ...added]);
  const kept = new Set(all);
  return {
    forget: existing.filter((attribution) => !kept.has(attribution)),
    attributions: all.filter((attribution) => !existing.includes(attribution)),
  };
}

function seqOf(vector: VersionVector, lane: LaneId): number {
  return vector.get(lane)?.seq ?? 0;
}
