import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** Whatever kept two devices from being paired; the message says what to do. */
export function pairingFailed(message: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  return new HeddleError(HeddleErrorCode.pairingFailed, message, options);
}
