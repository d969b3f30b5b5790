import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { ed25519, seededRandom, seededSigner, sha256 } from "../environment.fixture.ts";
import { HeddleErrorCode } from "../errors.ts";
import { golden } from "../golden.fixture.ts";
import type { Hlc } from "../hybrid-clock.ts";
import { deviceKey, documentId, laneId, recordId, type DeviceKey } from "../ids.ts";
import { limits } from "../limits.ts";
import { decodeMembershipAct, encodeMembershipAct, membersDocumentId } from "./membership-act.ts";
import { decodeCut, encodeCut, hashCut, type MembershipCut } from "./membership-cut.ts";
import { spaceOfGenesis } from "./space-of-genesis.ts";
import {
  createAct,
  createSpace,
  decodeGenesis,
  decodeMembershipRecord,
  MemberRole,
  verifyMembershipRecord,
  type ActRecord,
  type MembershipRecord,
} from "./membership-record.ts";

const hash = sha256;
const madeAt: Hlc = { wallMs: 1_700_000_000_123, counter: 4 };
const ada = seededSigner("ada");
const bo = deviceKey(seededSigner("bo").devicePublicKey);
const malformed = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });
const tooNew = expect.objectContaining({ code: HeddleErrorCode.protocolVersion });
const someCut: MembershipCut = new Map([
  [
    laneId(new Uint8Array(16).fill(9)),
    new Map([
      [documentId(new Uint8Array(16).fill(8)), { seq: 300, signature: new Uint8Array(64).fill(4) }],
    ]),
  ],
  [
    laneId(new Uint8Array(16).fill(7)),
    new Map([
      [documentId(new Uint8Array(16).fill(6)), { seq: 1 }],
      [documentId(new Uint8Array(16).fill(5)), { seq: 2 }],
    ]),
  ],
]);

function makeSpace(): ReturnType<typeof createSpace> {
  return createSpace({ hash, random: seededRandom("s"), signer: ada, madeAt, label: "Atelier" });
}

async function make(act: Parameters<typeof createAct>[0]["act"], device = bo): Promise<ActRecord> {
  const { space, id } = await makeSpace();
  const seen = [id, recordId(new Uint8Array(32).fill(1))];
  return createAct({ hash, signer: ada, space, seen, device, madeAt, label: "Bo's phone", act });
}

describe("records", () => {
  test("[MEM-6] read back as they were written, signed by their author", async () => {
    const genesis = await makeSpace();
    const grant = await make({ grant: MemberRole.write });
    const revoke = await make({ revoke: hashCut(hash, encodeCut(someCut)) });
    for (const record of [genesis, grant, revoke] as readonly MembershipRecord[]) {
      expect(decodeMembershipRecord(hash, record.bytes)).toEqual(record);
      expect(await verifyMembershipRecord(record, ed25519)).toBe(true);
      expect(record).toMatchObject({ by: deviceKey(ada.devicePublicKey), madeAt });
    }
    expect(grant).toMatchObject({ kind: "grant", device: bo, role: MemberRole.write });
    expect(revoke).toMatchObject({ kind: "revoke", device: bo, label: "Bo's phone" });
    expect(grant.seen).toEqual(grant.seen.toSorted());
  });

  test("[MEM-6] a changed byte is refused, or its signature is wrong", async () => {
    const { bytes } = await make({ grant: MemberRole.write });
    for (let index = 0; index < bytes.length; index++) {
      const changed = bytes.slice();
      changed[index] = changed[index]! ^ 4;
      let record: MembershipRecord;
      try {
        record = decodeMembershipRecord(hash, changed);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/MALFORMED|VERSION/) });
        continue;
      }
      expect(await verifyMembershipRecord(record, ed25519)).toBe(false);
    }
  });

  test("[MEM-6] what is cut off, too long, or followed by more is refused", async () => {
    const { bytes } = await make({ grant: MemberRole.write });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeMembershipRecord(hash, bytes.subarray(0, length))).toThrow(malformed);
    }
    const longer = concatBytes([bytes, Uint8Array.of(0)]);
    expect(() => decodeMembershipRecord(hash, longer)).toThrow(malformed);
    const huge = new Uint8Array(limits.membershipRecordBytesMax + 1).fill(1);
    expect(() => decodeMembershipRecord(hash, huge)).toThrow(malformed);
    const newer = concatBytes([Uint8Array.of(9, 9), bytes.subarray(2)]);
    expect(() => decodeMembershipRecord(hash, newer)).toThrow(tooNew);
    expect(() => decodeGenesis(hash, bytes)).toThrow(malformed);
  });

  test("[MEM-6] heads that do not ascend, a role that nobody knows, an unsound key are refused", async () => {
    const sound = await make({ grant: MemberRole.write });
    const twice = new Uint8Array(sound.bytes);
    const heads = sound.seen.map((id) => fromHex(id)!);
    const at = indexOf(twice, heads[0]!);
    twice.set(heads[1]!, at);
    expect(() => decodeMembershipRecord(hash, twice)).toThrow(malformed);
    await expect(make({ grant: 5 as MemberRole })).rejects.toThrow(tooNew);
    await expect(make({ grant: 0 as MemberRole })).rejects.toThrow(malformed);
    for (const key of [`01${"00".repeat(31)}`, `${"00".repeat(31)}80`, `ec${"ff".repeat(31)}`]) {
      await expect(make({ grant: MemberRole.read }, key as DeviceKey)).rejects.toThrow(malformed);
    }
  });
});

describe("cuts", () => {
  const seqs = fc.record({
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    signature: fc.option(fc.uint8Array({ minLength: 64, maxLength: 64 }), { nil: undefined }),
  });
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const documents = fc
    .uniqueArray(fc.tuple(id.map(documentId), seqs), {
      minLength: 1,
      maxLength: 5,
      selector: first,
    })
    .map((entries) => new Map(entries));
  const cuts = fc
    .uniqueArray(fc.tuple(id.map(laneId), documents), { maxLength: 5, selector: first })
    .map((entries) => new Map(entries));

  test("[MEM-6] read back as they were written, and have one encoding", () => {
    fc.assert(
      fc.property(cuts, (cut) => {
        const bytes = encodeCut(cut);
        expect(decodeCut(bytes)).toEqual(cut);
        expect(encodeCut(new Map([...cut].toReversed()))).toEqual(bytes);
      }),
    );
  });

  test("[MEM-6] lengths that the bytes do not have, and lists out of order, are refused", () => {
    const bytes = encodeCut(someCut);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeCut(bytes.subarray(0, length))).toThrow(malformed);
    }
    const claim = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(() => decodeCut(claim)).toThrow(malformed);
    const swapped = bytes.slice();
    swapped.fill(0xff, 1, 17);
    expect(() => decodeCut(swapped)).toThrow(malformed);
    expect(() => decodeCut(new Uint8Array(limits.membershipCutBytesMax + 1))).toThrow(malformed);
  });
});

describe("acts", () => {
  test("[MEM-6] a revocation goes with the list that it was signed with, and no other", async () => {
    const cut = encodeCut(someCut);
    const revoke = await make({ revoke: hashCut(hash, cut) });
    const grant = await make({ grant: MemberRole.write });
    const act = decodeMembershipAct(hash, encodeMembershipAct(revoke.bytes, cut));
    expect(act).toEqual({ record: revoke, cut: someCut });
    const refused = [
      encodeMembershipAct(revoke.bytes),
      encodeMembershipAct(revoke.bytes, encodeCut(new Map())),
      encodeMembershipAct(grant.bytes, cut),
      encodeMembershipAct((await makeSpace()).bytes),
      new Uint8Array(),
    ];
    for (const payload of refused) {
      expect(() => decodeMembershipAct(hash, payload)).toThrow(malformed);
    }
  });
});

interface GoldenRecord {
  readonly deviceSeed: string;
  readonly id: string;
  readonly bytes: string;
  readonly cut?: string;
}

describe("the format cannot change without its version", () => {
  const fixture = golden<{ space: string; membersDocument: string; records: GoldenRecord[] }>(
    "membership-v1",
  );

  test("[MEM-6] records, their cuts, and the control document of their space", async () => {
    const made = [
      await makeSpace(),
      await make({ grant: MemberRole.write }),
      await make({ revoke: hashCut(hash, encodeCut(someCut)) }),
    ];
    expect(made.map(({ id, bytes }) => ({ id, bytes: toHex(bytes) }))).toEqual(
      fixture.records.map(({ id, bytes }) => ({ id, bytes })),
    );
    expect(toHex(encodeCut(someCut))).toBe(fixture.records[2]!.cut);
    const genesis = decodeGenesis(hash, fromHex(fixture.records[0]!.bytes)!);
    expect(genesis.space).toBe(fixture.space);
    expect(spaceOfGenesis(hash, genesis.bytes)).toBe(fixture.space);
    expect(spaceOfGenesis(hash, new Uint8Array(3))).not.toBe(fixture.space);
    expect(membersDocumentId(hash, genesis.space)).toBe(fixture.membersDocument);
  });
});

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return toHex(bytes).indexOf(toHex(part)) / 2;
}

function first<First>([value]: readonly [First, ...unknown[]]): First {
  return value;
}
