import {
  createAct,
  encodeCut,
  encodeMembershipAct,
  hashCut,
  HeddleError,
  HeddleErrorCode,
  limits,
  type ActDraft,
  type ActRecord,
  type DeviceKey,
  type HybridClock,
  type LogStore,
  type MemberRole,
  type MembershipAct,
  type MembershipCut,
  type Signer,
  type Hash,
  Turns,
} from "@heddle/core";

import type { ReplicaDocument } from "../replica-document.ts";
import { cutOf, type HeldPositions } from "./cut-of.ts";
import type { SpaceMembers } from "./space-members.ts";

export interface MemberActsParts {
  readonly members: SpaceMembers;
  readonly store: LogStore;
  readonly signer: Signer;
  readonly hash: Hash;
  readonly clock: HybridClock;
  /** What is on disk of a document. */
  readonly positions: HeldPositions;
  /** Runs `work` with the control document. */
  readonly withControl: <Value>(
    work: (control: ReplicaDocument) => Promise<Value>,
  ) => Promise<Value>;
}

/** What the device of this replica does as an admin: one act after the other, each on what it knows then. */
export class MemberActs {
  readonly #parts: MemberActsParts;
  readonly #turns = new Turns();

  constructor(parts: MemberActsParts) {
    this.#parts = parts;
  }

  /**
   * Grants a device a role, at least: roles only rise. On disk when it resolves.
   *
   * @throws HeddleError `HEDDLE_MEMBERSHIP_REFUSED` when this device is no admin, or the other was removed;
   * `HEDDLE_STORAGE_*`.
   */
  grant(device: DeviceKey, role: MemberRole, label = ""): Promise<ActRecord> {
    return this.#turns.run(async () => {
      const member = this.#parts.members.membership.members.get(device);
      if (member && member.revokedBy.length > 0) {
        throw refused("the device was removed, and does not come back under the same key");
      }
      return this.#act(device, label, { grant: role });
    });
  }

  /**
   * Removes a device, for good. What is on disk here of what it wrote is kept, by everybody.
   *
   * @throws HeddleError `HEDDLE_MEMBERSHIP_REFUSED` when this device is no admin, `HEDDLE_UPDATE_TOO_LARGE`
   * when it wrote in more documents than one revocation can list; `HEDDLE_STORAGE_*`.
   */
  revoke(device: DeviceKey): Promise<ActRecord> {
    return this.#turns.run(async () => {
      const { hash, store, positions, members } = this.#parts;
      const cut = await cutOf({ store, hash, positions, except: members.control.id }, device);
      const list = encodeCut(cut);
      if (list.length > limits.membershipCutBytesMax) {
        const message = "the device wrote in more documents than a revocation can list";
        throw new HeddleError(HeddleErrorCode.updateTooLarge, message);
      }
      return this.#act(device, "", { revoke: hashCut(hash, list) }, { cut, list });
    });
  }

  async #act(
    device: DeviceKey,
    label: string,
    act: ActDraft["act"],
    kept?: { readonly cut: MembershipCut; readonly list: Uint8Array },
  ): Promise<ActRecord> {
    const { members, signer, hash, clock, withControl } = this.#parts;
    const { genesis, log } = members;
    const record = await createAct({
      hash,
      signer,
      space: genesis.space,
      seen: log.heads.slice(0, limits.membershipHeadsMax),
      device,
      label,
      madeAt: clock.tick(),
      act,
    });
    const made: MembershipAct =
      record.kind === "grant" ? { record } : { record, cut: kept?.cut ?? new Map() };
    if (log.judge(made) !== "valid") throw refused("only an admin of the space may do that");
    await withControl((control) => {
      return control.writeControl(encodeMembershipAct(record.bytes, kept?.list));
    });
    // On disk: nobody is told before that what it changes.
    members.add(made);
    return record;
  }
}

function refused(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.membershipRefused, message);
}
