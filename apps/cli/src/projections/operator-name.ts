import os from "node:os";

/** As much as a journal and a lease take of it. */
const lengthMax = 100;

/** Who runs a command, for journals: `user@host:pid`, without blanks. */
export function operatorName(): string {
  const name = `${userName()}@${os.hostname()}`.replaceAll(/[^\u0021-\u007e]/gu, "_");
  return `${name.slice(0, lengthMax)}:${process.pid}`;
}

/** A number where the system knows no name, as in containers. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}
