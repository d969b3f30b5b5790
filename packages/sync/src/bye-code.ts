import { HeddleErrorCode } from "@heddle/core/base";

/**
 * What BYE and the close of a transport say. From 4400 to 4499 trying again changes nothing; the others
 * pass.
 */
export function byeCodeOf(code: HeddleErrorCode): number {
  switch (code) {
    case HeddleErrorCode.sessionRefused:
    case HeddleErrorCode.membershipRefused:
      return 4403;
    case HeddleErrorCode.protocolVersion:
      return 4426;
    default:
      return 1013;
  }
}

export function isPermanentBye(code: number): boolean {
  return code >= 4400 && code <= 4499;
}
