import {
  createAct,
  deviceKey,
  documentIdOf,
  encodeCut,
  hashCut,
  LaneWriter,
  HybridClock,
  MemberRole,
  openLane,
  parseDocumentName,
  PayloadCodec,
  EnvelopeKind,
  signRun,
} from "@heddle/core";
import { afterEach, expect, test } from "vitest";

import { ephemeralDeviceKey, nodeVerifier } from "../node-environment.ts";
import { environment } from "../replica.fixture.ts";
import { countedPositions, countedSeqs, signedByCut } from "./peer-view.ts";
import { Home, heard, showing } from "./space.fixture.ts";

const { hash, random, clock } = environment;
const homes: Home[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.close();
});

test("[MEM-8] the end of a cut is passed on under the signature that the remover has, if it is one", async () => {
  const ada = new Home("ada");
  homes.push(await ada.open(await ada.createSpace()));
  const { members } = ada;
  const { space } = members.genesis;
  const signer = ephemeralDeviceKey();
  const device = deviceKey(signer.devicePublicKey);
  const hybrid = new HybridClock(clock);
  const lane = await openLane({ space, signer, hash, random, clock: hybrid, engine: "test" });
  const writer = new LaneWriter(lane, hash, hybrid);
  const document = documentIdOf(hash, space, parseDocumentName("plan"));
  const { codec, kind } = { codec: PayloadCodec.none, kind: EnvelopeKind.documentControl };
  const draft = { kind, flags: 0, document, epoch: 0, schema: 0, codec, payload: new Uint8Array() };
  const first = writer.seal(undefined, draft);
  const second = writer.seal({ seq: 1, head: first.id }, draft);
  const [signed] = await signRun([first], signer);
  await ada.acts.grant(device, MemberRole.write);

  const cutWith = async (signature: Uint8Array | undefined, seq: number): Promise<void> => {
    const cut = new Map([[lane.id, new Map([[document, { seq, signature }]])]]);
    const act = { revoke: hashCut(hash, encodeCut(cut)) };
    const seen = members.log.heads;
    const record = await createAct({
      hash,
      signer: ada.signer,
      space,
      seen,
      device,
      madeAt: clockless,
      act,
    });
    if (record.kind === "revoke") members.add({ record, cut });
  };
  const pass = (envelope: typeof first) => signedByCut(members, nodeVerifier)(envelope, lane);
  await cutWith(undefined, 1);
  expect((await pass(first)).signature).toBeUndefined();
  await cutWith(new Uint8Array(64).fill(1), 1);
  expect((await pass(first)).signature).toBeUndefined();
  await cutWith(signed!.signature, 1);
  expect((await pass(first)).bytes).toEqual(signed!.bytes);
  await cutWith(signed!.signature, 2);
  expect((await pass(second)).signature).toBeUndefined();
  members.noteLane(lane);
  expect(members.allowedSeq(document, lane.id)).toBe(1);
});

test(
  "[MEM-8] what builds on what does not count is nobody's, and its author writes on in another lane",
  { timeout: 60_000 },
  async () => {
    const ada = new Home("ada");
    const bo = new Home("bo", [ada]);
    const cy = new Home("cy", [bo]);
    const genesis = await ada.createSpace();
    for (const home of [ada, bo]) homes.push(await home.open(genesis));
    await cy.open(genesis);
    await ada.acts.grant(bo.key, MemberRole.write);
    await ada.acts.grant(cy.key, MemberRole.write);
    await heard(2, [bo, cy]);
    await bo.write("plan", "bo. ");
    await showing("plan", "bo. ", [ada]);

    // Ada hears nothing of what cy writes, and of what bo builds on it.
    ada.setOnline(false);
    await cy.write("plan", "cy. ");
    await showing("plan", "cy. bo. ", [bo]);
    await bo.write("plan", "on that: ");
    await ada.acts.revoke(cy.key);
    ada.setOnline(true);
    bo.live.peers!.retryNow();
    await showing("plan", "bo. ", [bo]);
    await bo.write("plan", "again. ");
    await showing("plan", "again. bo. ", [ada, bo]);

    // Both name the same positions: nothing of it is missing anywhere.
    const vectorOf = async ({ live }: Home) => {
      const { replica } = live;
      const document = await replica.acquire(parseDocumentName("plan"));
      const stored = { ...document.entry, vector: new Map(), dirty: true };
      replica.release(document);
      const store = replica.store;
      const vector = await countedPositions({ replica, store, hash }, stored);
      return [...vector].map(([lane, { seq }]) => `${lane}/${seq}`).toSorted();
    };
    const ofAda = await vectorOf(ada);
    expect(ofAda).toHaveLength(2);
    await expect.poll(() => vectorOf(bo)).toEqual(ofAda);
    await bo.text("plan");
    const id = documentIdOf(hash, genesis.space, parseDocumentName("plan"));
    expect([...countedSeqs(bo.live, id)!.values()].toSorted()).toEqual([0, 1]);
    await expect.poll(() => bo.live.peers!.refused).toEqual([]);

    // What is compared when everything is read anew is the same: the first comparison agrees.
    await cy.close();
    for (const home of [bo, ada]) await home.close();
    for (const home of [ada, bo]) await home.open(genesis);
    const compared = () => {
      const { librariesAgreed, librariesDiffered } = bo.live.peers!.counters;
      return [librariesAgreed, librariesDiffered];
    };
    await expect.poll(() => Math.max(...compared()), { timeout: 20_000 }).toBeGreaterThan(0);
    expect(compared()).toEqual([1, 0]);
  },
);

const clockless = { wallMs: 1, counter: 0 };
