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
  const count = `${grouped(documentsDone)} of ${grouped(documentsTotal)} documents`;
  return `${bar} ${percent}  ${count}  ↓ ${formatBytes(bytesReceived)}  ↑ ${formatBytes(bytesSent)}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
