import type { SyncProgress } from "@heddle/sync";

import { formatBytes } from "../format-bytes.ts";

const barCells = 10;

/** From 0 to 1. What there is to do may still grow. */
export function progressShare({ documentsDone, documentsTotal }: SyncProgress): number {
  return documentsTotal === 0 ? 0 : documentsDone / documentsTotal;
}

/** One line for people: how much of it, and what went over the network for it. */
export function progressText(progress: SyncProgress): string {
  const { documentsDone, documentsTotal, bytesReceived, bytesSent } = progress;
  const share = progressShare(progress);
  const filled = Math.floor(share * barCells);
  const bar = "█".repeat(filled) + "░".repeat(barCells - filled);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const count = `${documentsDone.toLocaleString("en-US")} of ${counted(documentsTotal, "document")}`;
  return `${bar} ${percent}  ${count}  ↓ ${formatBytes(bytesReceived)}  ↑ ${formatBytes(bytesSent)}`;
}

/** `1 document`, `12,345 documents`. */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
}
