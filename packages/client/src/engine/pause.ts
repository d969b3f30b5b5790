/** Before what failed so often is tried again: half a second, doubled up to half a minute. */
export function pauseMs(failures: number): number {
  return Math.min(500 * 2 ** (failures - 1), 30_000);
}
