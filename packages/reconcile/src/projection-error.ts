import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** A definition, or what its functions gave, breaks the rules: a fault of the projection, not of its source. */
export function projectionInvalid(what: string, why: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  return new HeddleError(HeddleErrorCode.projectionInvalid, `${what}: ${why}`, options);
}
