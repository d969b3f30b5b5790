import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import { mergeParsed, parseUpdate } from "@heddle/document";

import type { UpdateBurst } from "./pending-updates.ts";

/**
 * What a burst is sealed as: one payload, or one for each update where together they would be refused.
 * That is so when one of them names as its parent what another one holds, and that is no shared type.
 */
export function payloadsOf({ updates }: UpdateBurst): readonly Uint8Array[] {
  const merged = mergeParsed(updates);
  const isSure = updates.length === 1 || !updates.some((update) => update.hasParentIds);
  return isSure || isValid(merged) ? [merged] : updates.map(({ bytes }) => bytes);
}

function isValid(update: Uint8Array): boolean {
  try {
    parseUpdate(update);
    return true;
  } catch (error) {
    if (isHeddleError(error, HeddleErrorCode.updateMalformed)) return false;
    throw error;
  }
}
