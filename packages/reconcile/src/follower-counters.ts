import type { UndeterminedReason } from "./projection-source.ts";
import type { DocumentOutcome } from "./project-document.ts";

/** What a follower did, since it was made. */
export class FollowerCounters {
  /** Batches that were written. */
  steps = 0;
  /** Steps that were done again, because somebody else had written. */
  moved = 0;
  /** Times that all documents were compared, because the feed alone did not tell. */
  comparisons = 0;
  /** Documents that were looked at, by what came of it. */
  projected = 0;
  current = 0;
  outside = 0;
  absent = 0;
  invalid = 0;
  readonly undetermined = new Map<UndeterminedReason, number>();
  /** Changes that came after their bucket. */
  late = 0;
  /** Documents whose rows were not those that were written, and were made anew. */
  tampered = 0;

  note(outcome: DocumentOutcome): void {
    if (outcome.outcome === "undetermined") {
      this.undetermined.set(outcome.reason, (this.undetermined.get(outcome.reason) ?? 0) + 1);
      return;
    }
    this[outcome.outcome]++;
    if (outcome.outcome !== "projected") return;
    this.late += outcome.late;
    if (!outcome.wereRowsAsMarked) this.tampered++;
  }
}
