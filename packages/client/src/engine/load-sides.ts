import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type * as Sides from "./sides.ts";

/** @throws HeddleError `HEDDLE_STORAGE_CLOSED` for a page that cannot load its own program. */
export async function loadSides(): Promise<typeof Sides> {
  try {
    return await import("./sides.ts");
  } catch (cause) {
    const message = "the part of the program that stores could not be loaded";
    throw new HeddleError(HeddleErrorCode.storageClosed, message, { cause });
  }
}
