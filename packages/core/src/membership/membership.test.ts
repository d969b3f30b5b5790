import { describe, expect, test } from "vitest";

import { MemberRole } from "./membership-record.ts";
import {
  membershipOf,
  shapeOf,
  someDocument,
  someLane,
  space,
  type Admin,
} from "./membership.fixture.ts";

const { read, write, admin } = MemberRole;

/** What everybody comes to once all have heard all. */
function agreed(...admins: readonly Admin[]): Admin["membership"] {
  for (let round = 0; round < 2; round++) for (const each of admins) each.hears(...admins);
  const shapes = admins.map(({ membership }) => JSON.stringify(shapeOf(membership)));
  expect(new Set(shapes).size).toBe(1);
  const { genesis } = admins[0]!.log;
  const reversed = admins.flatMap(({ acts }) => acts).toReversed();
  expect(shapeOf(membershipOf(genesis, reversed))).toEqual(shapeOf(admins[0]!.membership));
  return admins[0]!.membership;
}

/** All of them admins, by the first one's word, and everybody knows it. */
async function admins(...names: readonly string[]): Promise<Admin[]> {
  const [first, ...others] = await space(...names);
  for (const other of others) await first!.grant(other, admin);
  for (const other of others) other.hears(first!);
  return [first!, ...others];
}

describe("roles", () => {
  test("[MEM-1] who made the space is an admin, and a role is what was granted", async () => {
    const [ada, bo, cy, di] = await space("ada", "bo", "cy", "di");
    await ada!.grant(bo!, write);
    await ada!.grant(cy!, MemberRole.relay);
    const { membership } = ada!;
    const keys = [ada!, bo!, cy!, di!].map(({ key }) => key);
    expect(keys.map((key) => membership.roleOf(key))).toEqual([admin, write, 1, undefined]);
    expect(membership.may(bo!.key, read)).toBe(true);
    expect(membership.may(bo!.key, admin)).toBe(false);
    expect(membership.may(di!.key, MemberRole.relay)).toBe(false);
  });

  test("[MEM-1] only an admin's word counts: what others sign is refused, by everybody", async () => {
    const [ada, bo, cy] = await space("ada", "bo", "cy");
    await ada!.grant(bo!, write);
    bo!.hears(ada!);
    const grab = await bo!.grant(bo!, admin);
    const coup = await bo!.revoke(ada!);
    const stranger = await cy!.grant(cy!, write);
    for (const act of [grab, coup, stranger]) {
      expect(ada!.log.judge(act)).toBe("refused");
      expect(bo!.log.judge(act)).toBe("refused");
    }
  });

  test("[MEM-1] concurrent grants add up to the higher role", async () => {
    const [ada, bo, cy] = await admins("ada", "bo");
    const [, , device] = await space("ada", "bo", "cy");
    await ada!.grant(device!, read);
    await bo!.grant(device!, write);
    expect(agreed(ada!, bo!).roleOf(device!.key)).toBe(write);
    expect(cy).toBeUndefined();
  });

  test("[MEM-1] a record of another space, or whose past is missing, changes nothing", async () => {
    const [ada, bo] = await space("ada", "bo");
    const [, other] = await space("bo", "bo");
    const foreign = await other!.grant(bo!, admin);
    expect(ada!.log.judge(foreign)).toBe("refused");
    await ada!.grant(bo!, write);
    bo!.take(await ada!.grant(bo!, admin));
    expect(bo!.log.judge(ada!.acts[1]!)).toBe("awaiting");
    expect(bo!.membership.roleOf(bo!.key)).toBeUndefined();
    bo!.hears(ada!);
    expect(bo!.membership.roleOf(bo!.key)).toBe(admin);
  });
});

describe("removals", () => {
  test("[MEM-2] a removal beats what the removed did at the same time", async () => {
    const [ada, bo, cy, di] = await admins("ada", "bo", "cy", "di");
    await ada!.revoke(bo!);
    await bo!.revoke(di!);
    const [, , , , guest] = await space("ada", "bo", "cy", "di", "guest");
    await bo!.grant(guest!, write);
    const membership = agreed(ada!, bo!, cy!, di!);
    expect(membership.roleOf(bo!.key)).toBeUndefined();
    expect(membership.roleOf(di!.key)).toBe(admin);
    expect(membership.roleOf(guest!.key)).toBeUndefined();
  });

  test("[MEM-2] two that remove each other are both removed, and others are not drawn in", async () => {
    const [ada, bo, cy] = await admins("ada", "bo", "cy");
    await ada!.revoke(bo!);
    await bo!.revoke(ada!);
    await bo!.revoke(cy!);
    const membership = agreed(ada!, bo!, cy!);
    expect(membership.roleOf(ada!.key)).toBeUndefined();
    expect(membership.roleOf(bo!.key)).toBeUndefined();
    expect(membership.roleOf(cy!.key)).toBe(admin);
  });

  test("[MEM-2] one that removes everybody who removes it is removed alone", async () => {
    const [ada, bo, cy] = await admins("ada", "bo", "cy");
    await ada!.revoke(cy!);
    await bo!.revoke(cy!);
    await cy!.revoke(ada!);
    await cy!.revoke(bo!);
    const membership = agreed(ada!, bo!, cy!);
    const roles = [ada!, bo!, cy!].map(({ key }) => membership.roleOf(key));
    expect(roles).toEqual([admin, admin, undefined]);
  });

  test("[MEM-2] in a ring of removals all are removed, and nobody whom they remove beside it", async () => {
    const [ada, bo, cy, di, ed] = await admins("ada", "bo", "cy", "di", "ed");
    await bo!.revoke(cy!);
    await cy!.revoke(di!);
    await cy!.revoke(ed!);
    await di!.revoke(bo!);
    const membership = agreed(ada!, bo!, cy!, di!, ed!);
    const left = [...membership.members.keys()].filter((key) => membership.roleOf(key));
    expect(left.toSorted()).toEqual([ada!.key, ed!.key].toSorted());
  });

  test("[MEM-2] who acts on a removal that falls later has acted after its own", async () => {
    const [ada, bo, cy, di] = await admins("ada", "bo", "cy", "di");
    await bo!.revoke(cy!);
    await di!.revoke(bo!);
    cy!.hears(bo!, di!);
    // By what it has heard, its own removal was felled with its remover.
    await cy!.revoke(bo!);
    await ada!.revoke(di!);
    const membership = agreed(ada!, bo!, cy!, di!);
    const roles = [ada!, bo!, cy!, di!].map(({ key }) => membership.roleOf(key));
    expect(roles).toEqual([admin, admin, undefined, undefined]);
  });

  test("[MEM-2] what the removed had done before, and the remover had seen, stands", async () => {
    const [ada, bo, cy] = await admins("ada", "bo", "cy");
    const [, , , guest] = await space("ada", "bo", "cy", "guest");
    await bo!.grant(guest!, write);
    await bo!.revoke(cy!);
    ada!.hears(bo!);
    await ada!.revoke(bo!);
    const membership = agreed(ada!, bo!, cy!);
    expect(membership.roleOf(guest!.key)).toBe(write);
    expect(membership.roleOf(cy!.key)).toBeUndefined();
    expect(membership.roleOf(bo!.key)).toBeUndefined();
  });

  test("[MEM-2] who was made an admin by a grant that falls has done nothing", async () => {
    const [ada, bo] = await admins("ada", "bo");
    const [, , cy, di, ed] = await space("ada", "bo", "cy", "di", "ed");
    await ada!.revoke(bo!);
    await bo!.grant(cy!, admin);
    cy!.hears(bo!);
    await cy!.grant(di!, write);
    await cy!.revoke(ada!);
    await ada!.grant(ed!, read);
    const membership = agreed(ada!, bo!, cy!);
    expect(membership.roleOf(di!.key)).toBeUndefined();
    expect(membership.roleOf(ada!.key)).toBe(admin);
    expect(membership.roleOf(ed!.key)).toBe(read);
  });

  test("[MEM-2] a removed device does not come back, whoever grants it what", async () => {
    const [ada, bo, cy] = await admins("ada", "bo", "cy");
    await ada!.revoke(cy!);
    await bo!.grant(cy!, admin);
    const membership = agreed(ada!, bo!, cy!);
    expect(membership.roleOf(cy!.key)).toBeUndefined();
    await ada!.grant(cy!, write);
    expect(agreed(ada!, bo!).roleOf(cy!.key)).toBeUndefined();
  });
});

describe("what counts of a lane", () => {
  const document = someDocument;
  const lane = someLane;

  test("[MEM-3] all of who may write, nothing of who may not", async () => {
    const [ada, bo, cy] = await space("ada", "bo", "cy");
    await ada!.grant(bo!, write);
    await ada!.grant(cy!, read);
    const allowed = ({ key: device }: Admin) =>
      ada!.membership.allowedSeq({ device, document, lane });
    expect([ada!, bo!, cy!].map(allowed)).toEqual([Infinity, Infinity, 0]);
  });

  test("[MEM-4] of who was removed what all removers kept; what is not listed is cut at 0", async () => {
    const [ada, bo, cy] = await admins("ada", "bo", "cy");
    await ada!.revoke(cy!, 7);
    const place = { device: cy!.key, document, lane };
    expect(ada!.membership.allowedSeq(place)).toBe(7);
    expect(ada!.membership.allowedSeq({ ...place, document: ada!.log.genesis.id as never })).toBe(
      0,
    );
    await bo!.revoke(cy!, 5);
    expect(agreed(ada!, bo!).allowedSeq(place)).toBe(5);
  });
});
