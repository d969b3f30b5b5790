/**
 * Stable error codes. Append only: a code keeps its meaning for ever, its message may improve.
 * docs/errors.md says for each one what a caller should do.
 */
export const HeddleErrorCode = {
  storageClosed: "HEDDLE_STORAGE_CLOSED",
  storageLocked: "HEDDLE_STORAGE_LOCKED",
  storageFull: "HEDDLE_STORAGE_FULL",
  storageIo: "HEDDLE_STORAGE_IO",
  storageCorrupt: "HEDDLE_STORAGE_CORRUPT",
  storageVersion: "HEDDLE_STORAGE_VERSION",
  updateMalformed: "HEDDLE_UPDATE_MALFORMED",
  updateTooLarge: "HEDDLE_UPDATE_TOO_LARGE",
  updateRefused: "HEDDLE_UPDATE_REFUSED",
  frameMalformed: "HEDDLE_FRAME_MALFORMED",
  frameTooLarge: "HEDDLE_FRAME_TOO_LARGE",
  frameUnexpected: "HEDDLE_FRAME_UNEXPECTED",
  protocolVersion: "HEDDLE_PROTOCOL_VERSION",
  sessionRefused: "HEDDLE_SESSION_REFUSED",
  relayOverloaded: "HEDDLE_RELAY_OVERLOADED",
  relayQuota: "HEDDLE_RELAY_QUOTA",
  relayDraining: "HEDDLE_RELAY_DRAINING",
  laneForked: "HEDDLE_LANE_FORKED",
  documentReset: "HEDDLE_DOCUMENT_RESET",
  configInvalid: "HEDDLE_CONFIG_INVALID",
  documentTooLarge: "HEDDLE_DOCUMENT_TOO_LARGE",
  sessionClosed: "HEDDLE_SESSION_CLOSED",
  sessionTimeout: "HEDDLE_SESSION_TIMEOUT",
  pairingFailed: "HEDDLE_PAIRING_FAILED",
  discoveryUnavailable: "HEDDLE_DISCOVERY_UNAVAILABLE",
  storageUnavailable: "HEDDLE_STORAGE_UNAVAILABLE",
  storageEvicted: "HEDDLE_STORAGE_EVICTED",
  projectionInvalid: "HEDDLE_PROJECTION_INVALID",
  membershipRefused: "HEDDLE_MEMBERSHIP_REFUSED",
} as const;
export type HeddleErrorCode = (typeof HeddleErrorCode)[keyof typeof HeddleErrorCode];

/** An operating error: expected, handled by the caller, matched by `code`; `cause` has the origin. */
export class HeddleError extends Error {
  override readonly name = "HeddleError";
  readonly code: HeddleErrorCode;

  constructor(code: HeddleErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether it is an operating error of heddle, and of that code when one is given. */
export function isHeddleError(error: unknown, code?: HeddleErrorCode): error is HeddleError {
  return error instanceof HeddleError && (code === undefined || error.code === code);
}
