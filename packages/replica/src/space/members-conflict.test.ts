import {
  createAct,
  decodeMembershipAct,
  deviceKey,
  documentId,
  encodeCut,
  encodeMembershipAct,
  EnvelopeKind,
  hashCut,
  HybridClock,
  LaneWriter,
  MemberRole,
  openLane,
  PayloadCodec,
  type ActDraft,
  type DeviceKey,
  type Envelope,
  type LaneDescriptor,
  type Signer,
} from "@heddle/core";
import { afterEach, describe, expect, test } from "vitest";

import { ephemeralDeviceKey, nodeVerifier } from "../node-environment.ts";
import { environment } from "../replica.fixture.ts";
import { Home, heard, showing } from "./space.fixture.ts";
import { SpaceMembers } from "./space-members.ts";

const { read, write, admin } = MemberRole;
const { hash, random } = environment;
const homes: Home[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.close();
});

test(
  "[MEM-8] what was written on a grant that falls is taken out, and comes back with the grant",
  { timeout: 60_000 },
  async () => {
    const ada = new Home("ada");
    const bo = new Home("bo", [ada]);
    const cy = new Home("cy", [ada, bo]);
    const guest = new Home("guest", [bo]);
    const genesis = await ada.createSpace();
    for (const home of [ada, bo, cy, guest]) homes.push(await home.open(genesis));
    await ada.acts.grant(bo.key, admin);
    await ada.acts.grant(cy.key, admin);
    await heard(2, [bo, cy]);

    // Apart: cy removes bo, who lets a guest in, whose work reaches bo alone.
    cy.setOnline(false);
    ada.setOnline(false);
    await bo.acts.grant(guest.key, write);
    await guest.write("plan", "guest. ");
    await showing("plan", "guest. ", [bo]);
    await cy.acts.revoke(bo.key);
    const moves = bo.live.replica.store.moves!;
    const mark = moves.mark();
    cy.setOnline(true);
    await expect.poll(() => bo.members.role, { timeout: 15_000 }).toBeUndefined();
    expect(bo.members.membership.roleOf(guest.key)).toBeUndefined();
    await showing("plan", "", [bo, cy]);
    // Nothing was written to the document: who compares what is derived from it looks at everything.
    expect(moves.since(mark)).toBeUndefined();

    // And ada, who had not heard of that, removes cy: its removal falls, the grant stands.
    await ada.acts.revoke(cy.key);
    ada.setOnline(true);
    bo.live.peers!.retryNow();
    await showing("plan", "guest. ", [bo, ada]);
    expect(ada.members.membership.roleOf(bo.key)).toBe(admin);
    expect(ada.members.membership.roleOf(cy.key)).toBeUndefined();
    expect(await guest.text("plan")).toBe("guest. ");
  },
);

/** A device that seals what it likes. */
class Forger {
  readonly signer: Signer = ephemeralDeviceKey();
  lane!: LaneDescriptor;
  #writer!: LaneWriter;
  #last: Envelope | undefined;

  async open(members: SpaceMembers): Promise<this> {
    const { space } = members.genesis;
    const clock = new HybridClock(environment.clock);
    const opening = { space, signer: this.signer, hash, random, clock, engine: "forger" };
    this.lane = await openLane(opening);
    this.#writer = new LaneWriter(this.lane, hash, clock);
    return this;
  }

  /** An envelope of the control document with this payload. */
  seal(
    members: SpaceMembers,
    payload: Uint8Array,
    kind: EnvelopeKind = EnvelopeKind.documentControl,
  ): Envelope {
    const before = this.#last && { seq: this.#last.seq, head: this.#last.id };
    this.#last = this.#writer.seal(before, {
      kind,
      flags: 0,
      document: members.control.id,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.none,
      payload,
    });
    return this.#last;
  }
}

/** Ada alone in her space, and how she judges what somebody else puts into the control document. */
async function adaAndForger() {
  const ada = new Home("ada");
  homes.push(await ada.open(await ada.createSpace()));
  const forger = await new Forger().open(ada.members);
  const judge = (...run: Envelope[]) => ada.members.judge(ada.members.control.id, forger.lane, run);
  const draft = async (act: ActDraft["act"], signer = forger.signer) => {
    const { genesis, log } = ada.members;
    const { space } = genesis;
    const madeAt = { wallMs: 1, counter: 0 };
    return createAct({ hash, signer, space, seen: log.heads, device: ada.key, madeAt, act });
  };
  return { ada, forger, judge, draft };
}

describe("records in the log", () => {
  test("[MEM-10] what is no record, or signed by another than it says, or in another's lane, ends the lane", async () => {
    const { ada, forger, judge, draft } = await adaAndForger();
    const { members } = ada;
    const grant = await draft({ grant: admin });
    const forged = grant.bytes.slice();
    forged[forged.length - 1] = forged.at(-1)! ^ 1;
    const ofAda = await draft({ grant: admin }, ada.signer);
    const revoke = await draft({ revoke: hashCut(hash, encodeCut(new Map())) }, ada.signer);
    for (const payload of [
      Uint8Array.of(1, 1, 3),
      new Uint8Array(),
      encodeMembershipAct(forged),
      encodeMembershipAct(ofAda.bytes),
      encodeMembershipAct(revoke.bytes),
    ]) {
      expect(await judge(forger.seal(members, payload))).toBe("refused");
    }
    const update = forger.seal(members, encodeMembershipAct(grant.bytes), EnvelopeKind.update);
    expect(await judge(update)).toBe("refused");
    // Well made, by somebody who is no admin: not malformed, and not allowed.
    expect(await judge(forger.seal(members, encodeMembershipAct(grant.bytes)))).toBe("forbidden");
    const newer = encodeMembershipAct(grant.bytes);
    newer.set([9, 9]);
    expect(await judge(forger.seal(members, newer))).toBe("incomplete");
  });

  test("[MEM-10] the list of a removal is read last, and nothing is kept of a lane that brings none", async () => {
    const { ada, forger, draft } = await adaAndForger();
    const { genesis, control } = ada.members;
    let hashedBytes = 0;
    const counting = {
      ...hash,
      sha256(bytes: Uint8Array) {
        hashedBytes += bytes.length;
        return hash.sha256(bytes);
      },
    };
    const own = ada.signer.devicePublicKey;
    const members = new SpaceMembers({ genesis, hash: counting, verifier: nodeVerifier, own });
    const list = new Uint8Array(1_000_000);
    const revoke = await draft({ revoke: hashCut(hash, list) });
    const envelope = forger.seal(members, encodeMembershipAct(revoke.bytes, list));
    hashedBytes = 0;
    // Nobody made it an admin: that its list is none does not matter.
    expect(await members.judge(control.id, forger.lane, [envelope])).toBe("forbidden");
    expect(hashedBytes).toBeLessThan(10_000);
    const written = { ...envelope, kind: EnvelopeKind.update, document: someDocument };
    expect(await members.judge(someDocument, forger.lane, [written])).toBe("forbidden");
    expect([...members.limitedLanes()]).toEqual([]);
    // An admin's list that is none ends its lane.
    await ada.acts.grant(keyOf(forger), admin);
    const late = await draft({ revoke: hashCut(hash, list) });
    const sealed = forger.seal(ada.members, encodeMembershipAct(late.bytes, list));
    expect(await ada.members.judge(control.id, forger.lane, [sealed])).toBe("refused");
  });

  test("[MEM-10] records of one run count one after the other, and not before what they follow", async () => {
    const { ada, forger, judge, draft } = await adaAndForger();
    const { members } = ada;
    await ada.acts.grant(keyOf(forger), admin);
    const first = await draft({ grant: read });
    const later = new SpaceMembers({
      genesis: members.genesis,
      hash,
      verifier: nodeVerifier,
      own: forger.signer.devicePublicKey,
    });
    const second = await createAct({
      hash,
      signer: forger.signer,
      space: members.genesis.space,
      seen: [first.id],
      device: ada.key,
      madeAt: { wallMs: 2, counter: 0 },
      act: { grant: write },
    });
    const run = [first, second].map(({ bytes }) =>
      forger.seal(members, encodeMembershipAct(bytes)),
    );
    expect(await judge(run[1]!)).toBe("incomplete");
    expect(await judge(...run)).toBeUndefined();
    expect(await later.judge(later.control.id, forger.lane, run)).toBe("incomplete");
    for (const envelope of run) members.learn(envelope);
    expect(members.membership.records.has(second.id)).toBe(true);
    expect(decodeMembershipAct(hash, run[0]!.payload).record).toEqual(first);
  });
});

const someDocument = documentId(new Uint8Array(16).fill(2));

function keyOf({ signer }: Forger): DeviceKey {
  return deviceKey(signer.devicePublicKey);
}
