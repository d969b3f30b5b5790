import { HeddleErrorCode } from "@heddle/core";
import { lanFolders, PairedDevices } from "@heddle/lan";
import { NakCode } from "@heddle/sync";
import { afterEach, beforeEach, expect, test } from "vitest";

import { connected, LanReplicas, pair, spaceOf, type LanReplica } from "./lan-replicas.ts";
import { until } from "./stock-client.ts";

// Goal: in a space, pairing grants a role, and whoever is removed on one list is removed for everybody.
// Method: replicas of one space on loopback, over real connections.

let site: LanReplicas;
beforeEach(() => {
  site = new LanReplicas();
});
afterEach(() => site[Symbol.asyncDispose]());

const patient = 60_000;

function trusts({ neighbours }: LanReplica, { neighbours: other }: LanReplica): boolean {
  return neighbours.peers.some(({ device }) => device.fingerprint === other.identity!.fingerprint);
}

/** The file is as a heddle wrote it that did not know of spaces. */
async function forgetKey({ folder }: LanReplica, { neighbours }: LanReplica): Promise<void> {
  const paired = new PairedDevices(lanFolders(folder).paired);
  const { key: _key, ...older } = paired.trusted(neighbours.identity!.fingerprint)!;
  await paired.add(older);
}

async function list({ replica }: LanReplica) {
  const document = await replica.open("notes");
  return { document, list: document.ydoc.getArray<string>("list") };
}

test("[LAN-14, MEM-11] pairing grants the role, and a removal anywhere ends trust everywhere", async () => {
  const genesis = await spaceOf(site, "ada");
  const ada = await site.open("ada", { genesis });
  const cy = await site.open("cy", { genesis, addresses: [ada.address] });
  const bo = await site.open("bo", { genesis, addresses: [ada.address, cy.address] });
  await pair(ada, bo);
  await pair(ada, cy, "read");
  const refusal = { code: HeddleErrorCode.membershipRefused };
  await expect(cy.neighbours.pair({ role: "read" })).rejects.toMatchObject(refusal);
  await pair(cy, bo); // Cy is no admin: trust, and no role.
  await forgetKey(cy, bo);
  await connected(bo, 2);
  await connected(ada, 2);
  const [atAda, atBo, atCy] = await Promise.all([list(ada), list(bo), list(cy)]);

  atBo.list.push(["from Bo"]);
  await until(() => atAda.list.length === 1, "what Bo may write is at Ada", patient);
  await until(() => atCy.list.length === 1, "and at Cy", patient);
  atCy.list.push(["from Cy"]);
  const isForbidden = () =>
    cy.replica.peers!.refused.some(({ code }) => code === NakCode.forbidden);
  await until(isForbidden, "Cy hears that it may not write", patient);
  expect([atAda.list.length, atBo.list.length]).toEqual([1, 1]);

  await ada.neighbours.revoke(bo.neighbours.identity!.fingerprint);
  expect(trusts(ada, bo)).toBe(false);
  await until(() => !trusts(cy, bo), "Cy has heard of it from Ada alone", patient);
  const { paired } = lanFolders(cy.folder);
  expect(
    new PairedDevices(paired).all.filter((each) => each.revokedMs !== undefined),
  ).toMatchObject([{ fingerprint: bo.neighbours.identity!.fingerprint }]);
  const { membership } = cy.replica.replica.members!;
  const key = bo.replica.replica.members!.own;
  expect(membership.members.get(key)!.revokedBy).toEqual([ada.replica.replica.members!.own]);
  await until(() => bo.neighbours.peers.every(({ state }) => state !== "connected"), "cut off");

  atBo.list.push(["too late"]);
  await atBo.document.whenSaved();
  atAda.list.push(["from Ada"]);
  await until(() => atCy.list.toArray().includes("from Ada"), "Cy and Ada go on", patient);
  expect(atAda.list.toArray()).toEqual(["from Bo", "from Ada"]);
  expect(atCy.list.toArray()).not.toContain("too late");
  expect(bo.replica.peers!.outbox.envelopes).toBeGreaterThan(0);
});
