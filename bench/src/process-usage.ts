import { readFileSync } from "node:fs";

/** Linux counts process time in hundredths of a second for user space, on every architecture Node runs on. */
const ticksPerSecond = 100;
const userTimeField = 11;

/** User and system time of a whole process, all its threads included. Exact to 10 ms. */
export function readCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name may hold spaces and brackets, so fields are counted after the last bracket.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[userTimeField]) + Number(fields[userTimeField + 1])) / ticksPerSecond;
}

/** The same of several processes together. */
export function readAllCpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readCpuSeconds(pid), 0);
}

/** Memory of a process that is in RAM now, in MB (10^6 bytes). */
export function readRssMegabytes(pid: number): number {
  return readStatusMegabytes(pid, "VmRSS");
}

/** The most memory that a process had in RAM at once, in MB (10^6 bytes). */
export function readPeakMegabytes(pid: number): number {
  return readStatusMegabytes(pid, "VmHWM");
}

function readStatusMegabytes(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has no ${field}`);
  return (Number(kibibytes) * 1_024) / 1e6;
}

/**
 * Seconds a core was busy since the machine started: with anything, or with nothing because the hypervisor gave it
 * to someone else.
 */
export function readCoreBusySeconds(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(readFileSync("/proc/stat", "latin1"))?.[1];
  if (line === undefined) throw new Error(`no core ${core} in /proc/stat`);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}
