import { readFileSync } from "node:fs";

/** What `stat` counts in: a hundredth of a second on every Linux that Node is built for. */
const msPerTick = 10;

/**
 * CPU milliseconds that a thread has used, so that a busy machine does not turn honest updates into
 * slow ones. `undefined` where the system does not tell (anything but Linux).
 *
 * @param thread what the link `/proc/thread-self` says in that thread: `pid/task/tid`.
 */
export function threadCpuMs(thread: string | undefined): number | undefined {
  if (thread === undefined) return undefined;
  try {
    return scheduledMs(thread) ?? accountedMs(thread);
  } catch {
    return undefined; // Not told here: the caller goes by the clock instead.
  }
}

/** To the nanosecond; all zeros where the kernel was built without it. */
function scheduledMs(thread: string): number | undefined {
  const [nanoseconds] = readFileSync(`/proc/${thread}/schedstat`, "utf8").split(" ");
  const used = Number(nanoseconds);
  return used > 0 ? used / 1e6 : undefined;
}

/** User and system time to the tick: fields 14 and 15, behind a name that may hold blanks. */
function accountedMs(thread: string): number | undefined {
  const stat = readFileSync(`/proc/${thread}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isFinite(ticks) ? ticks * msPerTick : undefined;
}
