import { HeddleError, HeddleErrorCode, type DeviceKey, type MemberRole } from "@heddle/core/base";

import type { EngineSide } from "../engine/engine-view.ts";
import type { HeddleProviderOptions } from "./provider-options.ts";

/** What a device is in the space of its documents. */
export interface ProviderMember {
  readonly device: DeviceKey;
  /** `undefined` while nobody has granted it anything, as far as is known here. */
  readonly role: MemberRole | undefined;
}

/** `undefined` in the open space. */
export function memberIn({ replica: { replica } }: EngineSide): ProviderMember | undefined {
  const { members } = replica;
  return members && { device: members.own, role: members.role };
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` for a space where there are no members. */
export function assertHasMembers({ genesis, wire }: HeddleProviderOptions): void {
  if (genesis === undefined || wire !== "y-websocket") return;
  const message = "a server that speaks y-websocket knows of no members: it cannot have a space";
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
