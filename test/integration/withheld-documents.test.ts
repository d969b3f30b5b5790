import { documentIdOf, MemberRole, parseDocumentName } from "@heddle/core";
import type { MayOffer } from "@heddle/replica";
import { RefusedCode } from "@heddle/sync";
import { afterEach, beforeEach, expect, test } from "vitest";

import { connected, LanReplicas, pair, spaceOf, type LanReplica } from "./lan-replicas.ts";
import { until } from "./stock-client.ts";

// Goal: an application decides which device is to have which document, and that holds on every way to it.
// Method: replicas of one space on loopback, over mutual TLS, as applications open them.

const patient = { timeout: 60_000 };
let site: LanReplicas;
beforeEach(() => {
  site = new LanReplicas();
});
afterEach(() => site[Symbol.asyncDispose]());

/** A relay forwards what is public; nobody has what is closed. */
const closed = new Set<string>();
const mayOffer: MayOffer = ({ role }, { name }) => {
  const isPublic = role !== MemberRole.relay || !name.startsWith("private/");
  return isPublic && !closed.has(name);
};

async function write({ replica }: LanReplica, name: string, text: string): Promise<void> {
  const document = await replica.open(name);
  document.ydoc.getText("text").insert(0, text);
  await document.whenSaved();
  await document.close();
}

async function text({ replica }: LanReplica, name: string): Promise<string> {
  const document = await replica.open(name);
  const shown = document.ydoc.getText("text").toJSON();
  await document.close();
  return shown;
}

async function namesIn({ replica }: LanReplica): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of replica.replica.store.readDocuments()) names.push(name);
  return names;
}

test("[LIB-6] a device of another role is never told of a document, nor given it, and has everything else", async () => {
  const genesis = await spaceOf(site, "ada");
  const ada = await site.open("ada", { genesis, mayOffer });
  for (const name of ["private/diary", "plan", "list"]) await write(ada, name, `${name} by ada`);
  const options = { genesis, addresses: [ada.address] };
  const relay = await site.open("relay", options);
  const laptop = await site.open("laptop", options);
  const refused: { document: string; code: number }[] = [];
  relay.replica.peers!.on("sync", (event) => {
    if (event.name === "document.refused") refused.push(event);
  });
  await pair(ada, relay, "relay");
  await pair(ada, laptop, "write");
  await Promise.all([connected(relay), connected(laptop)]);
  await expect.poll(async () => (await namesIn(laptop)).length, patient).toBe(4);
  await until(
    () => relay.replica.peers!.counters.librariesAgreed > 0,
    "the relay has what it may have, and agrees",
    60_000,
  );
  expect((await namesIn(relay)).toSorted()).toEqual(["heddle:members", "list", "plan"]);
  expect(await text(laptop, "private/diary")).toBe("private/diary by ada");

  // A change is not told, and who asks by name is refused; what it writes there stays where it is.
  expect(refused).toEqual([]);
  await write(laptop, "private/diary", "more, ");
  await write(laptop, "plan", "more, ");
  await expect.poll(() => text(relay, "plan"), patient).toBe("more, plan by ada");
  await write(relay, "private/diary", "who are you? ");
  await until(() => refused.length > 0, "the relay is refused", 60_000);
  const { hash } = site.environment();
  const { space } = ada.replica.replica;
  const document = documentIdOf(hash, space, parseDocumentName("private/diary"));
  expect(refused[0]).toMatchObject({ document, code: RefusedCode.withheld });
  expect(await text(relay, "private/diary")).toBe("who are you? ");
  expect(await text(ada, "private/diary")).toBe("more, private/diary by ada");
  expect(ada.replica.peers!.counters.documentsWithheld).toBeGreaterThan(0);

  // With another role it is given the rest.
  await ada.replica.replica.acts!.grant(relay.replica.replica.members!.own, MemberRole.read);
  await expect.poll(() => text(relay, "private/diary"), patient).toContain("by ada");

  // What it may not have any more is taken from the sessions that there are.
  closed.add("plan");
  ada.replica.peers!.reviewOffers();
  await write(ada, "plan", "closed, ");
  await write(ada, "list", "open, ");
  await expect.poll(() => text(relay, "list"), patient).toContain("open, ");
  expect(await text(relay, "plan")).toBe("more, plan by ada");
}, 120_000);
