import type { DocumentHistory, DocumentId } from "@heddle/core";

import { LogGrowth } from "./log-growth.ts";
import type { LoadedLog } from "./load-document.ts";

/** A document as far as checkpoints go. It outlives the loaded document, and holds nothing of it. */
export interface LoggedDocument {
  readonly id: DocumentId;
  readonly growth: LogGrowth;
  history: DocumentHistory;
  /** Something waits for what it depends on. */
  readonly hasParked: boolean;
}

export function loggedOf(
  { entry, size, parking, history, checkpointBytes }: LoadedLog,
  nowMs: number,
): LoggedDocument {
  return {
    id: entry.id,
    growth: new LogGrowth(size, checkpointBytes, nowMs),
    history,
    get hasParked() {
      return parking.count > 0;
    },
  };
}
