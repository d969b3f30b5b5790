import type { DeviceKey, DocumentId, LaneId, RecordId } from "../ids.ts";
import type { MembershipAct } from "./membership-act.ts";
import type { MembershipCut } from "./membership-cut.ts";
import { MemberRole, type GenesisRecord } from "./membership-record.ts";

/** A device that somebody granted something or removed. */
export interface Member {
  readonly device: DeviceKey;
  /** The highest that was granted; `undefined` where only removals name the device. */
  readonly role: MemberRole | undefined;
  readonly label: string;
  /** Removals that hold. A device that was removed stays so: it comes back with another key. */
  readonly revokedBy: readonly DeviceKey[];
}

/** Which envelope is asked about. */
export interface LanePlace {
  readonly device: DeviceKey;
  readonly document: DocumentId;
  readonly lane: LaneId;
}

/** Who may do what in a space: what a set of records comes to. It never changes. */
export class Membership {
  readonly members: ReadonlyMap<DeviceKey, Member>;
  /** Records that hold. */
  readonly records: ReadonlySet<RecordId>;
  readonly #cuts: ReadonlyMap<DeviceKey, readonly MembershipCut[]>;

  /** @param acts those that hold, in any order. */
  constructor(genesis: GenesisRecord, acts: readonly MembershipAct[]) {
    const members = new Map<DeviceKey, Member>();
    const cuts = new Map<DeviceKey, MembershipCut[]>();
    const creator = { device: genesis.by, role: MemberRole.admin, label: "", revokedBy: [] };
    members.set(genesis.by, creator);
    // One order for all, so that of two labels every replica shows the same.
    const inOrder = acts.toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1));
    for (const act of inOrder) {
      const { device } = act.record;
      members.set(device, changed(members.get(device) ?? unknown(device), act));
      if ("cut" in act) cuts.set(device, [...(cuts.get(device) ?? []), act.cut]);
    }
    this.members = members;
    this.records = new Set(acts.map(({ record }) => record.id));
    this.#cuts = cuts;
  }

  /** What a device may do now; `undefined` for one that is no member, or no more. */
  roleOf(device: DeviceKey): MemberRole | undefined {
    const member = this.members.get(device);
    return member && member.revokedBy.length === 0 ? member.role : undefined;
  }

  /** Whether a device may do what `role` may. */
  may(device: DeviceKey, role: MemberRole): boolean {
    return (this.roleOf(device) ?? 0) >= role;
  }

  /**
   * Up to which seq the envelopes of a lane in a document count: all of who may write, none of who never
   * might, and of who was removed what every remover kept. What lies above is refused, by everybody.
   */
  allowedSeq({ device, document, lane }: LanePlace): number {
    const { role, revokedBy = [] } = this.members.get(device) ?? {};
    if ((role ?? 0) < MemberRole.write) return 0;
    if (revokedBy.length === 0) return Infinity;
    const kept = this.#cuts.get(device)!.map((cut) => cut.get(lane)?.get(document)?.seq ?? 0);
    return Math.min(...kept);
  }

  /** Signatures of a removed device under the envelope at `seq`, as its removers gave them; not checked. */
  signaturesAt({ device, document, lane }: LanePlace, seq: number): readonly Uint8Array[] {
    return (this.#cuts.get(device) ?? []).flatMap((cut) => {
      const place = cut.get(lane)?.get(document);
      return place?.seq === seq && place.signature ? [place.signature] : [];
    });
  }
}

function unknown(device: DeviceKey): Member {
  return { device, role: undefined, label: "", revokedBy: [] };
}

function changed(member: Member, { record }: MembershipAct): Member {
  const label = record.label === "" ? member.label : record.label;
  if (record.kind === "revoke") {
    const revokedBy = [...new Set([...member.revokedBy, record.by])].toSorted();
    return { ...member, label, revokedBy };
  }
  const role = Math.max(member.role ?? 0, record.role) as MemberRole;
  return { ...member, label, role };
}
