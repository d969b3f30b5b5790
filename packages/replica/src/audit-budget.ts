/** CPU time that a document may take to load: honest ones stay far below. */
export interface AuditBudget {
  readonly baseMs: number;
  readonly perKibMs: number;
}

/** What an audit of a log may take when nothing else is said. */
export const defaultAuditBudget: AuditBudget = { baseMs: 1_000, perKibMs: 2 };

/** A part of a log, which is applied update by update, gets less to begin with. */
export function auditBudgetMs(
  { baseMs, perKibMs }: AuditBudget,
  updates: readonly Uint8Array[],
  isWhole: boolean,
): number {
  let bytes = 0;
  for (const { length } of updates) bytes += length;
  return (isWhole ? baseMs : baseMs / 4) + updates.length + (bytes / 1024) * perKibMs;
}
