import {
  deviceKey,
  EnvelopeKind,
  decodeMembershipAct,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  MemberRole,
  membersDocumentId,
  membersDocumentName,
  MembershipLog,
  readMembershipAct,
  verifyMembershipRecord,
  type DeviceKey,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type GenesisRecord,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type LanePlace,
  type Membership,
  type MembershipAct,
  type SealedAct,
  type Verifier,
} from "@heddle/core";
import type { RunVerdict, Standing } from "@heddle/sync";

export interface SpaceMembersParts {
  readonly genesis: GenesisRecord;
  readonly hash: Hash;
  readonly verifier: Verifier;
  /** The device of this replica. */
  readonly own: Uint8Array;
}

/** Something was granted or removed, or a removal fell. */
export interface MembershipChange {
  readonly before: Membership;
  readonly after: Membership;
  /** Some device may do less than before, or less of its work counts: sessions begin anew. */
  readonly hasLost: boolean;
}

/** Why a run is not taken. */
export type RunRefusal = Exclude<RunVerdict, "stored">;

/**
 * Who may do what in the space of this replica, as far as it has heard, and what follows for envelopes.
 * Every answer is a function of the records alone (I9): no clock, no configuration, no order of arrival.
 */
export class SpaceMembers {
  /** The document whose envelopes carry the records. */
  readonly control: DocumentEntry;
  readonly own: DeviceKey;
  readonly #parts: SpaceMembersParts;
  readonly #log: MembershipLog;
  readonly #deviceOf = new Map<LaneId, DeviceKey>();
  readonly #lanesOf = new Map<DeviceKey, Set<LaneId>>();
  readonly #listeners = new Set<(change: MembershipChange) => void>();

  constructor(parts: SpaceMembersParts) {
    const { genesis, hash, own } = parts;
    this.#parts = parts;
    this.#log = new MembershipLog(genesis);
    this.own = deviceKey(own);
    const id = membersDocumentId(hash, genesis.space);
    this.control = { id, name: membersDocumentName, createdAt: genesis.madeAt };
  }

  get genesis(): GenesisRecord {
    return this.#parts.genesis;
  }

  get membership(): Membership {
    return this.#log.membership;
  }

  /** What the device of this replica may do; `undefined` when it is no member. */
  get role(): MemberRole | undefined {
    return this.membership.roleOf(this.own);
  }

  /** The records, for whoever makes the next one. */
  get log(): MembershipLog {
    return this.#log;
  }

  /** Whether a peer's device is given documents: every role is enough for that, and to be this device. */
  standingOf(devicePublicKey: Uint8Array): Standing {
    const device = deviceKey(devicePublicKey);
    // Another window or process of it has what it has.
    if (device === this.own) return "member";
    const member = this.membership.members.get(device);
    if (member && member.revokedBy.length > 0) return "removed";
    return member?.role === undefined ? "stranger" : "member";
  }

  /**
   * Asked before an update is sealed into a lane of this device. What the application itself writes is taken
   * all the same: it is on this device, and its author is told what peers refuse.
   *
   * @throws HeddleError `HEDDLE_MEMBERSHIP_REFUSED` for the control document, and for what others would have
   * written by a device that may not write.
   */
  assertWelcome(document: DocumentId, isOwn: boolean): void {
    const isRecord = document === this.control.id;
    if (!isRecord && (isOwn || this.membership.may(this.own, MemberRole.write))) return;
    const what = isRecord
      ? "only records are written to this document"
      : "this device may not write";
    throw new HeddleError(HeddleErrorCode.membershipRefused, what);
  }

  /** Calls `listener` after every change; the returned function stops that. */
  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A lane is, or is about to be, in the log. One of which nothing is taken is not noted. */
  noteLane({ id, devicePublicKey }: Pick<LaneDescriptor, "id" | "devicePublicKey">): void {
    if (this.#deviceOf.has(id)) return;
    const device = deviceKey(devicePublicKey);
    this.#deviceOf.set(id, device);
    const lanes = this.#lanesOf.get(device) ?? new Set();
    this.#lanesOf.set(device, lanes.add(id));
  }

  /** Lanes in the log here of which not everything counts; what this device wrote it goes on to show. */
  *limitedLanes(): Iterable<LaneId> {
    for (const [device, lanes] of this.#lanesOf) {
      const { role, revokedBy = [] } = this.membership.members.get(device) ?? {};
      const isFree = (role ?? 0) >= MemberRole.write && revokedBy.length === 0;
      if (!isFree && device !== this.own) yield* lanes;
    }
  }

  /** Up to which seq a lane that is in the log here counts in a document. */
  allowedSeq(document: DocumentId, lane: LaneId): number {
    const device = this.#deviceOf.get(lane);
    return device === undefined ? Infinity : this.#allowedSeq({ device, document, lane });
  }

  #allowedSeq(place: LanePlace): number {
    const isFree = place.device === this.own || place.document === this.control.id;
    return isFree ? Infinity : this.membership.allowedSeq(place);
  }

  /** What becomes of a run that a peer pushed; `undefined` when it may be taken. */
  judge(
    document: DocumentId,
    lane: LaneDescriptor,
    run: readonly Envelope[],
  ): RunRefusal | undefined | Promise<RunRefusal | undefined> {
    if (document === this.control.id) return this.#judgeRecords(lane, run);
    const last = run.at(-1);
    const device = deviceKey(lane.devicePublicKey);
    const allowedSeq = this.#allowedSeq({ device, document, lane: lane.id });
    if (last && last.seq > allowedSeq) return "forbidden";
    return void this.noteLane(lane);
  }

  /** An envelope of the control document is taken, here or in an earlier start. */
  learn(envelope: Envelope): void {
    this.add(decodeMembershipAct(this.#parts.hash, envelope.payload));
  }

  /** A record that {@link MembershipLog.judge} called valid. */
  add(act: MembershipAct): void {
    const before = this.membership;
    this.#log.add(act);
    const after = this.membership;
    if (after === before) return;
    const change = { before, after, hasLost: hasLost(before, after) };
    for (const listener of this.#listeners) listener(change);
  }

  /** The list of a removal may be long: it is read last, on the word of somebody who may remove. */
  async #judgeRecords(
    lane: LaneDescriptor,
    run: readonly Envelope[],
  ): Promise<RunRefusal | undefined> {
    const { hash, verifier } = this.#parts;
    const device = deviceKey(lane.devicePublicKey);
    const acts: SealedAct[] = [];
    for (const { kind, payload } of run) {
      if (kind !== EnvelopeKind.documentControl) return "refused";
      const act = readOr(() => readMembershipAct(hash, payload));
      if (typeof act === "string") return act;
      const isTheirs = act.record.by === device;
      if (!isTheirs || !(await verifyMembershipRecord(act.record, verifier))) return "refused";
      acts.push(act);
    }
    const verdict = this.#log.judgeAll(acts.map(({ record }) => record));
    if (verdict === "refused") return "forbidden";
    if (verdict === "awaiting") return "incomplete";
    for (const act of acts) {
      const opened = readOr(() => act.open());
      if (typeof opened === "string") return opened;
    }
    return void this.noteLane(lane);
  }
}

function readOr<Value extends object>(read: () => Value): Value | "refused" | "incomplete" {
  try {
    return read();
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    // A newer heddle may know what it means: its lane is not over, it waits.
    return error.code === HeddleErrorCode.protocolVersion ? "incomplete" : "refused";
  }
}

function hasLost(before: Membership, after: Membership): boolean {
  for (const [device, member] of before.members) {
    const isLower = (after.roleOf(device) ?? 0) < (before.roleOf(device) ?? 0);
    const removals = after.members.get(device)?.revokedBy.length ?? 0;
    if (isLower || removals !== member.revokedBy.length) return true;
  }
  // Who was removed before anything was granted.
  return [...after.members].some(([device, { revokedBy }]) => {
    return revokedBy.length > 0 && !before.members.has(device);
  });
}
