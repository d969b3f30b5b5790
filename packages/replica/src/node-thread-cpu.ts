import { readFileSync } from "node:fs";

/**
 * CPU milliseconds that a thread has used, so that a busy machine does not turn honest updates into
 * slow ones. `undefined` where the system does not tell (anything but Linux).
 *
 * @param thread what the link `/proc/thread-self` says in that thread: `pid/task/tid`.
 */
export function threadCpuMs(thread: string | undefined): number | undefined {
  if (thread === undefined) return undefined;
  try {
    const [nanoseconds] = readFileSync(`/proc/${thread}/schedstat`, "utf8").split(" ");
    const used = Number(nanoseconds);
    return used > 0 ? used / 1e6 : undefined;
  } catch {
    return undefined; // Not told here: the caller goes by the clock instead.
  }
}
