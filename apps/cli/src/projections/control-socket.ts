import path from "node:path";

/** A request or an answer is one line of JSON. */
export const requestBytesMax = 64 * 1024;
export const answerBytesMax = 64 * 1024 * 1024;

/** Bytes that every system allows for the path of a socket, its end left out. */
const socketPathBytesMax = 100;

/**
 * Where a process that has a data folder open can be asked about its projections: a socket in that folder, so
 * that whoever may write there may ask, and nobody else. `undefined` where there can be none: on
 * Windows, and in a folder with a long name.
 */
export function controlSocketOf(data: string): string | undefined {
  if (process.platform === "win32") return undefined;
  const socket = path.join(path.resolve(data), "control.sock");
  return Buffer.byteLength(socket) <= socketPathBytesMax ? socket : undefined;
}

/** What can be asked. */
export const controlCommands = [
  "reconcile",
  "audit",
  "trimmed",
  "rebuild",
  "projections",
  "rows",
  "sinks",
  "settle-dead",
] as const;
export type ControlCommand = (typeof controlCommands)[number];

export interface ControlRequest {
  readonly command: ControlCommand;
  readonly request: object;
}

export type ControlAnswer =
  | { readonly result: unknown }
  | { readonly error: { readonly code?: string | undefined; readonly message: string } };
