import type { LogFields, Logger } from "@heddle/core";
import { pino } from "pino";

import type { CommandIo } from "./command-io.ts";
import { maskFields } from "./mask-fields.ts";
import { visibleText } from "./visible-text.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Tells this process's lines from those of the one before: connections are counted from 1. */
  readonly run?: string;
}

/** Events as lines of JSON on the error stream; results have the other one to themselves. */
export function openLogger(io: CommandIo, { level, run }: LoggerOptions): Logger {
  const destination = { write: (line: string) => io.err(visibleText(line.trimEnd())) };
  const lines = pino(
    {
      level,
      base: run === undefined ? null : { run },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => maskFields(fields) as Record<string, unknown>,
      },
    },
    destination,
  );
  return {
    debug: (event: string, fields?: LogFields) => lines.debug({ event, ...fields }),
    info: (event: string, fields?: LogFields) => lines.info({ event, ...fields }),
    warn: (event: string, fields?: LogFields) => lines.warn({ event, ...fields }),
    error: (event: string, fields?: LogFields) => lines.error({ event, ...fields }),
  };
}
