import { expect, test } from "vitest";

import { chainOf, envelopeWith, testLane } from "./envelope.fixture.ts";
import { decodeEnvelope, withSignature, type Envelope } from "./envelope.ts";
import { ed25519, seededSigner, sha256 } from "./environment.fixture.ts";
import { documentId } from "./ids.ts";
import { signedAtEnd, signRun, verifyRun } from "./run.ts";

const ada = seededSigner("ada");
const eve = seededSigner("eve");
const [one, two, three] = chainOf(testLane(1), 3) as [Envelope, Envelope, Envelope];
const [otherOne] = chainOf(testLane(1), 1, { salt: 9 }) as [Envelope];

function verify(run: readonly Envelope[]): Promise<boolean> {
  return verifyRun(run, ada.devicePublicKey, ed25519);
}

test("[LOG-2] one signature on the last of a run vouches for all of it, also after a journey", async () => {
  const signed = await signRun([one, two, three], ada);
  expect(signed.map(({ signature }) => signature?.length)).toEqual([undefined, undefined, 64]);
  expect(await verify(signed)).toBe(true);
  expect(await verify(signed.slice(1))).toBe(true);
  expect(await verify(signed.map(({ bytes }) => decodeEnvelope(sha256, bytes)))).toBe(true);
});

test("[WIR-16] a run that is passed on has one signature, the one that was proven", async () => {
  const [first] = await signRun([one], ada);
  const [, , last] = await signRun([one, two, three], ada);
  const forged = { ...first!, signature: first!.signature!.map((byte) => byte ^ 1) };
  const kept = signedAtEnd([forged, two, last!]);
  expect(kept.map(({ signature }) => signature?.length)).toEqual([undefined, undefined, 64]);
  expect(kept[0]).toEqual(one);
  expect(await verify(kept)).toBe(true);
  const asItWas = [one, two, last!];
  expect(signedAtEnd(asItWas)).toBe(asItWas);
});

test("[LOG-2] a run without a good signature of its device proves nothing", async () => {
  const [, , last] = await signRun([one, two, three], ada);
  expect(await verify([])).toBe(false);
  expect(await verify([one, two])).toBe(false);
  expect(await verifyRun([one, two, last!], eve.devicePublicKey, ed25519)).toBe(false);
  expect(await verifyRun([one, two, last!], new Uint8Array(31), ed25519)).toBe(false);
  const forged = { ...last!, signature: last!.signature!.map((byte) => byte ^ 1) };
  expect(await verify([one, two, forged])).toBe(false);
});

test("[LOG-2] a changed, missing, swapped or foreign envelope breaks the run", async () => {
  const [, , last] = (await signRun([one, two, three], ada)) as [Envelope, Envelope, Envelope];
  const document = documentId(new Uint8Array(16).fill(1));
  const ofOtherDocument = envelopeWith({ ...two, document });
  const ofOtherLane = envelopeWith({ ...two, lane: testLane(2) });
  for (const run of [
    [otherOne, two, last],
    [one, last],
    [two, one, last],
    [one, one, two, last],
    [one, ofOtherDocument, last],
    [one, ofOtherLane, last],
  ]) {
    expect(await verify(run)).toBe(false);
  }
});

test("[LOG-2] a signature does not join what is no run, whoever gave it", async () => {
  const next = { ...two, payload: Uint8Array.of(7) };
  const document = documentId(new Uint8Array(16).fill(1));
  for (const [changes, isRun] of [
    [{}, true],
    [{ seq: 3 }, false],
    [{ document }, false],
    [{ lane: testLane(2) }, false],
    [{ prev: otherOne.id }, false],
  ] as const) {
    const last = envelopeWith({ ...next, ...changes });
    const signed = withSignature(last, await ada.sign(last.id));
    expect(await verify([signed])).toBe(true);
    expect([changes, await verify([one, signed])]).toEqual([changes, isRun]);
  }
});

test("[LOG-2] signing twice changes nothing, and what is no run is not signed", async () => {
  const signed = await signRun([one, two], ada);
  expect(await signRun(signed, ada)).toEqual(signed);
  await expect(signRun([], ada)).rejects.toThrow("a run is contiguous");
  await expect(signRun([one, three], ada)).rejects.toThrow("a run is contiguous");
});
