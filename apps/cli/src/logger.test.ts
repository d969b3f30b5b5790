import { expect, test } from "vitest";

import { logLevels, openLogger, type LogLevel } from "./logger.ts";

function linesAt(level: LogLevel): Record<string, unknown>[] {
  const lines: string[] = [];
  const io = { out: () => undefined, err: (line: string) => lines.push(line), isTTY: false };
  const logger = openLogger(io, { level, run: "0a1b2c3d" });
  logger.debug("document.named", { document: "d1", name: "notes" });
  logger.info("connection.entered", { connection: 7, document: "d1" });
  logger.warn("store.mark_unwritten");
  logger.error("store.fenced", { code: "HEDDLE_STORAGE_FULL" });
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a line is an event with its fields, a level, a time and the run it belongs to", () => {
  const [line] = linesAt("info");
  expect(line).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    run: "0a1b2c3d",
    event: "connection.entered",
    connection: 7,
    document: "d1",
  });
});

test.each(logLevels.map((level, index) => [level, 4 - index] as const))(
  "at level %s, %i of four events are logged",
  (level, count) => {
    expect(linesAt(level)).toHaveLength(count);
  },
);
