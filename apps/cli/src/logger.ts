import type { LogFields, Logger } from "@heddle/core";

import type { CommandIo } from "./command-io.ts";

/** Events as lines of JSON on the error stream; results have the other one to themselves. */
export function jsonLogger(io: CommandIo, isVerbose: boolean): Logger {
  const write = (level: string, event: string, fields: LogFields = {}): void => {
    io.err(JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }));
  };
  return {
    debug: isVerbose ? (event, fields) => write("debug", event, fields) : () => undefined,
    info: isVerbose ? (event, fields) => write("info", event, fields) : () => undefined,
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
  };
}
