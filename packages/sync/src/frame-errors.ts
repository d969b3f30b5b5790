import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** A frame that can be read and has no place in the session as it is. */
export function unexpectedFrame(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.frameUnexpected, `${what} has no meaning here`);
}
