import { isHeddleError } from "@heddle/core";

/** Its checksum was right: what cannot be read all the same was written by a newer heddle. */
export function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
