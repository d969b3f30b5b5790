import type { Finding } from "./finding.ts";
import type { JournalEntry } from "./history-records.ts";
import type { Aside } from "./quarantine-folder.ts";

/** What is known of a store before LevelDB has touched it. */
export interface FolderCheck {
  /** What the journal of the store should say. */
  readonly notes: readonly JournalEntry[];
  /** In files that LevelDB can be given all the same. */
  readonly damages: readonly Finding[];
  /** Number of the last commit group that LevelDB's logs show, read past what is damaged; 0 for none. */
  readonly lastGroup: number;
  /** A log is damaged in a place behind which nothing can be read. */
  readonly hasDamagedLog: boolean;
  /** Leftovers of a crash, as they look; to be removed once the log was opened and lacks nothing. */
  readonly leftovers: readonly Aside[];
}

export const nothingToCheck: FolderCheck = {
  notes: [],
  damages: [],
  lastGroup: 0,
  hasDamagedLog: false,
  leftovers: [],
};
