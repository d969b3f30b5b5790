import { MemberRole, parseDocumentName } from "@heddle/core";
import { NakCode } from "@heddle/sync";
import { afterEach, expect, test } from "vitest";

import { Home, heard, showing } from "./space.fixture.ts";

// Goal: what a device may not write is refused by every replica alike, and everything else goes on.
// Method: replicas with real keys and logs in one process, connected in memory.

const homes: Home[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.close();
});

/** Ada made the space; the others keep a connection to her, and to those before them. */
async function openAll(...names: readonly string[]): Promise<Home[]> {
  const opened: Home[] = [];
  for (const name of names) opened.push(new Home(name, [...opened]));
  const genesis = await opened[0]!.createSpace();
  for (const home of opened) homes.push(await home.open(genesis));
  return opened;
}

const { relay, read, write, admin } = MemberRole;
const dials = 20_000;

test(
  "[MEM-7] a reader has the content, and what it writes is refused by all until it may write",
  { timeout: 60_000 },
  async () => {
    const [ada, bo, cy] = await openAll("ada", "bo", "cy");
    await ada!.acts.grant(bo!.key, write);
    await ada!.acts.grant(cy!.key, read);
    cy!.live.peers!.retryNow();
    bo!.live.peers!.retryNow();
    await bo!.write("plan", "from bo. ");
    await showing("plan", "from bo. ", [ada!, bo!, cy!]);

    // What others would write through it is not taken: it would count for nobody.
    const document = await cy!.live.replica.acquire(parseDocumentName("plan"));
    const update = Uint8Array.of(1, 1, 7, 0, 4, 1, 1, 0x74, 1, 0x78, 0);
    const refused = expect.objectContaining({ code: "HEDDLE_MEMBERSHIP_REFUSED" });
    expect(() => document.submit(update, {})).toThrow(refused);
    cy!.live.replica.release(document);

    await cy!.write("plan", "from cy. ");
    const refusedBy = () =>
      cy!.live.peers!.refused.filter(({ code }) => code === NakCode.forbidden);
    // By both that it is connected with, and they have nothing of it.
    await expect.poll(() => refusedBy().length, { timeout: dials }).toBe(2);
    await ada!.write("plan", "from ada. ");
    await showing("plan", "from ada. from bo. ", [ada!, bo!]);
    for (const home of [ada!, bo!]) {
      expect(home.live.peers!.counters.runsForbidden).toBeGreaterThan(0);
      expect(await home.text("plan")).not.toContain("cy");
    }
    // It goes on to see what others write, and what it wrote itself.
    await expect.poll(() => cy!.text("plan")).toContain("from ada. ");
    expect(await cy!.text("plan")).toContain("from cy. ");

    await ada!.acts.grant(cy!.key, write);
    await expect.poll(() => ada!.text("plan"), { timeout: dials }).toContain("from cy. ");
    await expect.poll(() => bo!.text("plan"), { timeout: dials }).toContain("from cy. ");
    await expect.poll(() => cy!.live.peers!.refused, { timeout: dials }).toEqual([]);
  },
);

test(
  "[MEM-8] of a removed device everybody keeps what its remover had, and nobody anything else",
  { timeout: 60_000 },
  async () => {
    const [ada, bo, cy] = await openAll("ada", "bo", "cy");
    await ada!.acts.grant(bo!.key, admin);
    await ada!.acts.grant(cy!.key, write);
    await heard(2, [ada!]);
    bo!.live.peers!.retryNow();
    cy!.live.peers!.retryNow();
    await cy!.write("plan", "early. ");
    await showing("plan", "early. ", [ada!, bo!, cy!]);

    // Ada is away; cy writes, and bo takes it and builds on it.
    ada!.setOnline(false);
    await cy!.write("plan", "late. ");
    await showing("plan", "late. early. ", [bo!]);
    const open = await bo!.live.open("plan");
    const resets: number[] = [];
    open.on("reset", ({ generation }) => resets.push(generation));
    await ada!.acts.revoke(cy!.key);
    ada!.setOnline(true);

    await showing("plan", "early. ", [ada!, bo!]);
    expect(resets.length).toBeGreaterThan(0);
    expect(open.ydoc.getText("text").toJSON()).toBe("early. ");
    await cy!.write("plan", "later. ");
    await cy!.write("other", "new. ");
    bo!.live.peers!.retryNow();
    await ada!.write("plan", "on. ");
    await showing("plan", "on. early. ", [ada!, bo!]);
    expect(await bo!.text("other")).toBe("");
    await open.close();

    // The same from the disk, and for who was not there.
    await bo!.close();
    await bo!.open(ada!.members.genesis);
    expect(await bo!.text("plan")).toBe("on. early. ");
    const di = new Home("di", [bo!]);
    homes.push(await di.open(ada!.members.genesis));
    await bo!.acts.grant(di.key, read);
    di.live.peers!.retryNow();
    await showing("plan", "on. early. ", [di]);
  },
);

test(
  "[MEM-9] members come first: who is none is given nothing but that, and who was removed is cut off",
  { timeout: 60_000 },
  async () => {
    const [ada, bo, eve] = await openAll("ada", "bo", "eve");
    await ada!.acts.grant(bo!.key, relay);
    await ada!.write("plan", "secret. ");
    const { peers } = eve!.live;
    await expect.poll(() => peers!.states.get("ada")?.name, { timeout: dials }).toBe("live");
    await heard(1, [eve!]);
    expect(await eve!.text("plan")).toBe("");
    expect(eve!.members.role).toBeUndefined();
    // Whatever it wants, or has.
    await eve!.write("plan", "let me in. ");
    await ada!.acts.revoke(eve!.key);
    await expect.poll(() => peers!.states.get("ada")?.name, { timeout: dials }).toBe("refused");
    expect(peers!.states.get("ada")).toMatchObject({ code: 4403 });
    expect(await eve!.text("plan")).toBe("let me in. ");
    expect(await ada!.text("plan")).toBe("secret. ");

    // A relay stores and forwards, to whom ada never spoke.
    bo!.live.peers!.retryNow();
    await showing("plan", "secret. ", [bo!]);
    const cy = new Home("cy", [bo!]);
    homes.push(await cy.open(ada!.members.genesis));
    await ada!.acts.grant(cy.key, write);
    await heard(3, [bo!]);
    cy.live.peers!.retryNow();
    await showing("plan", "secret. ", [cy]);
    await cy.write("plan", "through bo. ");
    await showing("plan", "through bo. secret. ", [ada!]);
  },
);

test(
  "[MEM-10] only an admin grants and removes; records are on disk, and no document for people",
  { timeout: 60_000 },
  async () => {
    const [ada, bo] = await openAll("ada", "bo");
    await ada!.acts.grant(bo!.key, write, "Bo's laptop");
    await heard(1, [ada!, bo!]);
    const refused = expect.objectContaining({ code: "HEDDLE_MEMBERSHIP_REFUSED" });
    await expect(bo!.acts.grant(bo!.key, admin)).rejects.toEqual(refused);
    await expect(bo!.acts.revoke(ada!.key)).rejects.toEqual(refused);
    expect(() => ada!.live.document(ada!.members.control.name)).toThrow(
      expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" }),
    );
    const control = await ada!.live.replica.acquire(ada!.members.control.name);
    expect(() => control.submit(Uint8Array.of(0, 0), {})).toThrow(refused);
    ada!.live.replica.release(control);

    const { genesis } = ada!.members;
    await ada!.close();
    await ada!.open(genesis);
    expect(ada!.members.membership.members.get(bo!.key)).toMatchObject({
      role: write,
      label: "Bo's laptop",
    });
    await ada!.acts.revoke(bo!.key);
    await expect(ada!.acts.grant(bo!.key, write)).rejects.toEqual(refused);

    // A store of one space is not opened as another's.
    await ada!.write("plan", "here. ");
    await ada!.close();
    const other = await new Home("other").createSpace();
    await expect(ada!.open(other)).rejects.toMatchObject({ code: "HEDDLE_CONFIG_INVALID" });
    await ada!.open(genesis);
  },
);
