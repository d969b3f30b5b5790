import { HeddleErrorCode, isHeddleError } from "@heddle/core";

import type { CommandIo } from "../command-io.ts";
import type { ReplayArguments } from "./replay-options.ts";
import { parseReplayArguments } from "./replay-options.ts";
import { reportLines } from "./replay-report.ts";
import { replay } from "./replay.ts";

/**
 * `heddle replay [trace] --url <url> …`: from what commander parsed to an exit status, 0 equal,
 * 1 not equal, timed out or refused, 2 wrong usage. With `json`, one object on `out` in every case.
 */
export async function replayCommand(given: ReplayArguments, io: CommandIo): Promise<number> {
  try {
    const report = await replay(parseReplayArguments(given), io);
    if (given.json === true) io.out(JSON.stringify(report));
    else for (const line of reportLines(report)) io.out(line);
    if (report.awaited !== undefined && given.json === true) io.err(report.awaited);
    return report.verdict === "equal" ? 0 : 1;
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    io.err(`heddle replay: ${error.message}`);
    if (given.json === true) {
      io.out(JSON.stringify({ verdict: "error", code: error.code, message: error.message }));
    }
    return error.code === HeddleErrorCode.configInvalid ? 2 : 1;
  }
}
