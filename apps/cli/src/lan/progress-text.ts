import type { SyncProgress } from "@heddle/sync";

import { formatBytes } from "../format-bytes.ts";

const barCells = 10;

/**
 * From 0 to 1; undefined where nobody here can say. Whoever gives knows how many documents it has to give;
 * whoever takes is told of them as they come.
 */
export function progressShare(progress: SyncProgress): number | undefined {
  const { documentsDone, documentsTotal, bytesReceived, bytesSent } = progress;
  const isTaking = bytesReceived > bytesSent;
  return isTaking || documentsTotal === 0 ? undefined : documentsDone / documentsTotal;
}

/** Another one when there is something new to tell to a log: each tenth, or each doubling. */
export function progressStep(progress: SyncProgress): string {
  const share = progressShare(progress);
  if (share !== undefined) return `tenth ${Math.floor(share * 10)}`;
  return `doubling ${Math.floor(Math.log2(progress.documentsDone + 1))}`;
}

/** One line for people: how much of it, and what went over the network for it. */
export function progressText(progress: SyncProgress): string {
  const { documentsDone, documentsTotal, bytesReceived, bytesSent } = progress;
  const share = progressShare(progress);
  const moved = `↓ ${formatBytes(bytesReceived)}  ↑ ${formatBytes(bytesSent)}`;
  if (share === undefined) return `${counted(documentsDone, "document")} so far  ${moved}`;
  const filled = Math.floor(share * barCells);
  const bar = "█".repeat(filled) + "░".repeat(barCells - filled);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const count = `${documentsDone.toLocaleString("en-US")} of ${counted(documentsTotal, "document")}`;
  return `${bar} ${percent}  ${count}  ${moved}`;
}

/** `1 document`, `12,345 documents`. */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
}
