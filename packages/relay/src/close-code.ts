import { HeddleErrorCode } from "@heddle/core";

/**
 * WebSocket close codes. 4400 to 4499 are permanent: current y-websocket clients stop. Everything
 * else means "come back later".
 */
export const CloseCode = {
  normal: 1000,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  senderAtFault: 4400,
  notAuthenticated: 4401,
  forbidden: 4403,
  lineage: 4409,
  tooLarge: 4413,
  version: 4426,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

const closeCodeOfError = new Map<HeddleErrorCode, CloseCode>([
  [HeddleErrorCode.updateMalformed, CloseCode.senderAtFault],
  [HeddleErrorCode.updateRefused, CloseCode.senderAtFault],
  [HeddleErrorCode.frameMalformed, CloseCode.senderAtFault],
  [HeddleErrorCode.frameUnexpected, CloseCode.senderAtFault],
  [HeddleErrorCode.updateTooLarge, CloseCode.tooLarge],
  [HeddleErrorCode.frameTooLarge, CloseCode.tooLarge],
  [HeddleErrorCode.sessionRefused, CloseCode.notAuthenticated],
  [HeddleErrorCode.membershipRefused, CloseCode.forbidden],
  [HeddleErrorCode.laneForked, CloseCode.lineage],
  [HeddleErrorCode.protocolVersion, CloseCode.version],
  [HeddleErrorCode.relayDraining, CloseCode.serviceRestart],
  // Retrying does not mend a damaged document, but an operator who repairs it does.
  [HeddleErrorCode.storageCorrupt, CloseCode.internalError],
]);

/** Permanent only where the sender is at fault for everyone; the rest may pass. */
export function closeCodeOf(code: HeddleErrorCode): CloseCode {
  return closeCodeOfError.get(code) ?? CloseCode.tryAgainLater;
}
