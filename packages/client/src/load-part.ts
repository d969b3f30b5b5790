import { HeddleError, HeddleErrorCode } from "@heddle/core/base";

import { pauseMs } from "./engine/pause.ts";
import { timerScheduler } from "./timer-scheduler.ts";

/** After so many failures in a row, some eight seconds, a part of the program counts as missing. */
const attemptsMax = 5;

/**
 * A part of the program that bundlers cut off and that a page loads later, over a network that may be away for a moment.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CLOSED` for a page that cannot load its own program.
 */
export async function loadPart<Part>(
  load: () => Promise<Part>,
  scheduler = timerScheduler,
): Promise<Part> {
  for (let failures = 1; ; failures++) {
    try {
      return await load();
    } catch (cause) {
      if (failures === attemptsMax) {
        const message = "a part of the program could not be loaded";
        throw new HeddleError(HeddleErrorCode.storageClosed, message, { cause });
      }
      await new Promise<void>((resolve) => scheduler.after(pauseMs(failures), resolve));
    }
  }
}
