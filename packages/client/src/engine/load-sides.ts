import { loadPart } from "../load-part.ts";
import type * as Sides from "./sides.ts";

/** @throws HeddleError `HEDDLE_STORAGE_CLOSED` for a page that cannot load its own program. */
export function loadSides(): Promise<typeof Sides> {
  return loadPart(() => import("./sides.ts"));
}
