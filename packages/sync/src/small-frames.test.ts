import { HeddleErrorCode, openSpaceId, storeId, type DocumentEntry } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, seededSigner, testHash } from "./environment.fixture.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameOf } from "./frame.ts";
import { countingBytes, helloWith } from "./frames.fixture.ts";
import { Handshake, protocolVersion } from "./handshake.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { positionsPerFrame, wireLimits } from "./wire-limits.ts";

// Goal: a peer that takes small frames only gets everything in such, and nothing but data in parts.
// Method: a peer of our own making that says so in its HELLO, and keeps what it is sent.

const key = 1;

/** A peer that is a signature and a list of what it was sent. */
class SmallPeer {
  readonly frames: Frame[] = [];
  readonly sizes: number[] = [];
  readonly #host: MemoryHost;
  readonly #handshake: Handshake;
  readonly #hello: FrameOf<"hello">;

  constructor(host: MemoryHost, frameBytesMax: number) {
    this.#host = host;
    this.#hello = helloWith({
      versionMin: protocolVersion.floor,
      features: 0,
      space: openSpaceId(testHash),
      store: storeId(countingBytes(16, 77)),
      devicePublicKey: seededSigner(77).devicePublicKey,
      frameBytesMax,
    });
    this.#handshake = new Handshake(testHash, "initiator", this.#hello);
    host.replication.connect(key, "acceptor", host.nowMs);
    this.#send(this.#handshake.helloBytes);
  }

  async greet(): Promise<void> {
    await this.drain();
    const hello = this.frames.find((frame) => frame.name === "hello");
    if (hello === undefined) return;
    const input = this.#handshake.receiveHello(this.#hello, hello, encodeFrame(hello));
    const signature = await seededSigner(77).sign(input);
    this.say({ name: "auth", signature, proof: new Uint8Array() });
    await this.drain();
  }

  /** OPEN, and "I have nothing". */
  open({ id, name }: DocumentEntry): void {
    const createdAt = countingBytes(8);
    this.say({ name: "open", documentRef: 5, document: id, createdAt, documentName: name });
    const have = { documentRef: 5, digest: countingBytes(32), checkpoint: undefined };
    this.say({ name: "have", flags: 1, positions: [], ...have });
  }

  say(frame: Frame): void {
    this.#send(encodeFrame(frame));
  }

  async drain(): Promise<void> {
    await this.#host.drain();
    for (const { bytes } of this.#host.sent.splice(0)) {
      this.sizes.push(bytes.length);
      this.frames.push(decodeFrame(bytes)!);
    }
  }

  named<Name extends Frame["name"]>(name: Name): FrameOf<Name>[] {
    return this.frames.filter((frame): frame is FrameOf<Name> => frame.name === name);
  }

  #send(bytes: Uint8Array): void {
    this.#host.replication.receive(key, bytes, this.#host.nowMs);
  }
}

test("[WIR-2] who takes small frames is told of many lanes in many of them", async () => {
  const host = new MemoryHost(1);
  const first = await FixtureLane.open(1);
  const lanes = 300;
  for (let seed = 0; seed < lanes; seed++) {
    await host.write(await FixtureLane.open(1_000 + seed, first.entry), 1);
  }
  const peer = new SmallPeer(host, wireLimits.frameBytesMin);
  await peer.greet();
  peer.open(first.entry);
  await peer.drain();
  expect(Math.max(...peer.sizes)).toBeLessThanOrEqual(wireLimits.frameBytesMin);
  const full = peer.named("have").filter(({ positions }) => positions.length > 0);
  expect(full.length).toBe(Math.ceil(lanes / positionsPerFrame(wireLimits.frameBytesMin)));
  expect(full.reduce((sum, { positions }) => sum + positions.length, 0)).toBe(lanes);
  expect(peer.named("push").length).toBeGreaterThan(0);
  expect(peer.named("bye")).toEqual([]);
});

test("[WIR-2] who takes smaller frames than the floor is refused with a code", async () => {
  const host = new MemoryHost(1);
  const peer = new SmallPeer(host, wireLimits.frameBytesMin - 1);
  await peer.drain();
  expect(peer.named("bye")).toMatchObject([{ reason: HeddleErrorCode.sessionRefused }]);
});
