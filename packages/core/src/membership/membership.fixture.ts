import { concatBytes } from "../bytes.ts";
import { seededRandom, sha256 } from "../environment.fixture.ts";
import type { Signer } from "../environment.ts";
import { deviceKey, documentId, laneId, type DeviceKey } from "../ids.ts";
import type { MembershipAct } from "./membership-act.ts";
import { encodeCut, hashCut, type MembershipCut } from "./membership-cut.ts";
import type { Membership } from "./membership.ts";
import { MembershipLog } from "./membership-log.ts";
import {
  createAct,
  createSpace,
  type ActDraft,
  type GenesisRecord,
  type MemberRole,
} from "./membership-record.ts";

export const madeAt = { wallMs: 1_700_000_000_000, counter: 0 };
export const someLane = laneId(new Uint8Array(16).fill(1));
export const someDocument = documentId(new Uint8Array(16).fill(2));

/** Signs with a hash: here it matters what is said, and not who could have said it. */
function cheapSigner(name: string): Signer {
  const devicePublicKey = sha256.sha256(new TextEncoder().encode(name));
  return {
    devicePublicKey,
    sign: async (bytes) => {
      const half = sha256.sha256(concatBytes([devicePublicKey, bytes]));
      return concatBytes([half, half]);
    },
  };
}

/** A device that acts in a space, with what it has heard of it. */
export class Admin {
  readonly key: DeviceKey;
  readonly log: MembershipLog;
  readonly acts: MembershipAct[] = [];
  readonly #signer: Signer;

  constructor(name: string, genesis: GenesisRecord) {
    this.#signer = cheapSigner(name);
    this.key = deviceKey(this.#signer.devicePublicKey);
    this.log = new MembershipLog(genesis);
  }

  get membership(): Membership {
    return this.log.membership;
  }

  async grant(other: Admin, role: MemberRole): Promise<MembershipAct> {
    return this.#act(other, { grant: role });
  }

  /** @param seq up to which of {@link someLane} in {@link someDocument} is kept. */
  async revoke(other: Admin, seq = 0): Promise<MembershipAct> {
    const cut: MembershipCut = new Map([[someLane, new Map([[someDocument, { seq }]])]]);
    return this.#act(other, { revoke: hashCut(sha256, encodeCut(cut)) }, cut);
  }

  /** Everything that they have heard, as far as it is valid. */
  hears(...others: readonly Admin[]): void {
    for (const { acts } of others) for (const act of acts) this.take(act);
  }

  take(act: MembershipAct): void {
    if (this.log.judge(act) !== "valid") return;
    this.log.add(act);
    this.acts.push(act);
  }

  async #act(
    { key: device }: Admin,
    act: ActDraft["act"],
    cut: MembershipCut = new Map(),
  ): Promise<MembershipAct> {
    const { genesis, heads: seen } = this.log;
    const { space } = genesis;
    const record = await createAct({
      hash: sha256,
      signer: this.#signer,
      space,
      seen,
      device,
      madeAt,
      act,
    });
    const made = record.kind === "grant" ? { record } : { record, cut };
    this.take(made);
    return made;
  }
}

/** A space whose first name is its maker, and the others strangers in it. */
export async function space(...names: readonly string[]): Promise<Admin[]> {
  const random = seededRandom("space");
  const signer = cheapSigner(names[0]!);
  const genesis = await createSpace({ hash: sha256, random, signer, madeAt });
  return names.map((name) => new Admin(name, genesis));
}

/** What can be told of a membership, in one order. */
export function shapeOf({ members, records }: Membership): unknown {
  return {
    members: [...members.values()].toSorted((a, b) => (a.device < b.device ? -1 : 1)),
    records: [...records].toSorted(),
  };
}

/** What a log comes to that hears a set of records in this order, and again what it had to wait for. */
export function membershipOf(genesis: GenesisRecord, acts: Iterable<MembershipAct>): Membership {
  const log = new MembershipLog(genesis);
  let left = [...acts];
  for (let before = Infinity; left.length < before;) {
    before = left.length;
    left = left.filter((act) => {
      const verdict = log.judge(act);
      if (verdict === "valid") log.add(act);
      return verdict === "awaiting";
    });
  }
  return log.membership;
}
