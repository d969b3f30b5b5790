import { HeddleErrorCode, isHeddleError, spaceId } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { seededSigner, testHash, testVerifier } from "./environment.fixture.ts";
import { countingBytes, helloWith } from "./frames.fixture.ts";
import { encodeFrame, type FrameOf } from "./frame.ts";
import { Handshake, negotiate, type Side } from "./handshake.ts";

/** Two ends of one connection, each with a key and a nonce of its own. */
function ends() {
  return { a: endOf("initiator", 1), b: endOf("acceptor", 2) };
}

function endOf(side: Side, seed: number) {
  const signer = seededSigner(seed);
  const { devicePublicKey } = signer;
  const hello = helloWith({ devicePublicKey, nonce: countingBytes(32, seed) });
  return { side, signer, hello, handshake: new Handshake(testHash, side, hello) };
}

const range = (versionMin: number, versionMax: number) => ({ versionMin, versionMax });

function codeOf(action: () => unknown): HeddleErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
  return undefined;
}

describe("[WIR-6] a session begins when both have proven who they are", () => {
  test("each side verifies what the other signed", async () => {
    const { a, b } = ends();
    const ofA = a.handshake.receiveHello(a.hello, b.hello, b.handshake.helloBytes);
    const ofB = b.handshake.receiveHello(b.hello, a.hello, a.handshake.helloBytes);
    expect(b.handshake.peerAuthInput()).toEqual(ofA);
    expect(a.handshake.peerAuthInput()).toEqual(ofB);
    const signature = await a.signer.sign(ofA);
    const { devicePublicKey } = b.handshake.peerHello!;
    expect(await testVerifier.verify(devicePublicKey, ofA, signature)).toBe(true);
    expect(await testVerifier.verify(b.hello.devicePublicKey, ofA, signature)).toBe(false);
  });

  test("a signature is good for one side of one connection", () => {
    const { a, b } = ends();
    const ofA = a.handshake.receiveHello(a.hello, b.hello, b.handshake.helloBytes);
    const ofB = b.handshake.receiveHello(b.hello, a.hello, a.handshake.helloBytes);
    expect(ofA).not.toEqual(ofB);
    const { a: laterA } = ends();
    const laterB = { ...b.hello, nonce: countingBytes(32, 77) };
    expect(laterA.handshake.receiveHello(a.hello, laterB, encodeFrame(laterB))).not.toEqual(ofA);
  });

  test("what is signed are the bytes that came, with fields that are not understood", () => {
    const { a, b } = ends();
    const { a: otherA } = ends();
    const withMore = Uint8Array.of(...b.handshake.helloBytes, ((90 << 1) & 0x7f) | 0x80, 1, 1);
    expect(a.handshake.receiveHello(a.hello, b.hello, b.handshake.helloBytes)).not.toEqual(
      otherA.handshake.receiveHello(a.hello, b.hello, withMore),
    );
  });

  test.each<[string, Partial<FrameOf<"hello">>, HeddleErrorCode]>([
    ["another space", { space: spaceId(countingBytes(16)) }, HeddleErrorCode.sessionRefused],
    ["our own nonce", { nonce: countingBytes(32, 1) }, HeddleErrorCode.sessionRefused],
    ["frames of nothing", { frameBytesMax: 100 }, HeddleErrorCode.sessionRefused],
    ["only newer versions", { versionMin: 2, versionMax: 3 }, HeddleErrorCode.protocolVersion],
    ["no version", { versionMin: 0, versionMax: 0 }, HeddleErrorCode.protocolVersion],
  ])("a peer with %s is refused", (_what, changes, code) => {
    const { a, b } = ends();
    const hello = { ...b.hello, ...changes };
    const bytes = encodeFrame(hello);
    expect(codeOf(() => a.handshake.receiveHello(a.hello, hello, bytes))).toBe(code);
  });

  test("HELLO comes once, and before AUTH", () => {
    const { a, b } = ends();
    expect(codeOf(() => a.handshake.peerAuthInput())).toBe(HeddleErrorCode.frameUnexpected);
    const receive = () => a.handshake.receiveHello(a.hello, b.hello, b.handshake.helloBytes);
    expect(codeOf(receive)).toBeUndefined();
    expect(codeOf(receive)).toBe(HeddleErrorCode.frameUnexpected);
  });
});

test("[WIR-3] the highest common version is spoken, down to the floor of each", () => {
  expect(negotiate(range(1, 4), range(2, 3))).toBe(3);
  expect(negotiate(range(3, 3), range(1, 9))).toBe(3);
  expect(codeOf(() => negotiate(range(3, 4), range(1, 2)))).toBe(HeddleErrorCode.protocolVersion);
  expect(codeOf(() => negotiate(range(1, 2), range(3, 4)))).toBe(HeddleErrorCode.protocolVersion);
});
