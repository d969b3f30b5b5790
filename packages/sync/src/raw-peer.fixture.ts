import { openSpaceId, storeId, type DocumentEntry, type Envelope } from "@heddle/core";

import { seededSigner, testHash, type FixtureLane } from "./environment.fixture.ts";
import { partsOf } from "./frame-parts.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameOf } from "./frame.ts";
import { countingBytes, helloWith } from "./frames.fixture.ts";
import { Handshake } from "./handshake.ts";
import type { MemoryHost } from "./memory-host.fixture.ts";
import { packEnvelope } from "./packed-envelope.ts";
import { wireLimits } from "./wire-limits.ts";

/** A PUSH of a run, under number 0 for document and lane. */
export function pushOf({ descriptor }: FixtureLane, run: readonly Envelope[]): FrameOf<"push"> {
  const [{ seq: firstSeq, prev }] = run as [Envelope];
  const envelopes = run.map((envelope) => packEnvelope(envelope, descriptor));
  return { name: "push", documentRef: 0, laneRef: 0, firstSeq, prev, envelopes, flags: 0 };
}

/** A peer without a machine: it greets with a device of its own, and then says what a test wants. */
export class RawPeer {
  readonly key: number;
  readonly #host: MemoryHost;

  private constructor(host: MemoryHost, key: number) {
    this.#host = host;
    this.key = key;
  }

  /** Greets `host` on connection `key`, as who has called. */
  static async greet(
    host: MemoryHost,
    key: number,
    seed: number,
    changes: Partial<FrameOf<"hello">> = {},
  ): Promise<RawPeer> {
    const peer = new RawPeer(host, key);
    const signer = seededSigner(seed);
    const hello = helloWith({
      space: openSpaceId(testHash),
      store: storeId(countingBytes(16, seed)),
      incarnation: countingBytes(16, seed + 1),
      nonce: countingBytes(32, seed),
      devicePublicKey: signer.devicePublicKey,
      role: 1,
      ...changes,
    });
    const handshake = new Handshake(testHash, "initiator", hello);
    host.replication.connect(key, "acceptor", host.nowMs);
    peer.sendBytes(handshake.helloBytes);
    await host.drain();
    for (const bytes of peer.#take()) {
      const frame = decodeFrame(bytes)!;
      if (frame.name !== "hello") continue;
      const signature = await signer.sign(handshake.receiveHello(hello, frame, bytes));
      peer.send({ name: "auth", signature, proof: new Uint8Array() });
    }
    await host.drain();
    return peer;
  }

  /** What the host has said since it was last asked. */
  heard(): Frame[] {
    return this.#take().map((bytes) => decodeFrame(bytes)!);
  }

  /** Says OPEN. */
  open({ id: document, name }: DocumentEntry, documentRef: number): void {
    const createdAt = countingBytes(8);
    this.send({ name: "open", documentRef, document, createdAt, documentName: name });
  }

  /** Says LANE. */
  lane({ descriptor }: FixtureLane, laneRef: number): void {
    this.send({ name: "lane", laneRef, descriptor: descriptor.bytes });
  }

  /** Says HAVE with a digest that nobody has. */
  have(documentRef: number, positions: FrameOf<"have">["positions"], flags = 0): void {
    const digest = countingBytes(32, 9);
    this.send({ name: "have", documentRef, digest, flags, positions, checkpoint: undefined });
  }

  send(frame: Frame): void {
    this.sendBytes(encodeFrame(frame));
  }

  /** Says a frame in parts, whatever its size; returns how many bytes that took. */
  sendInParts(frame: Frame, transfer: number): number {
    const parts = [...partsOf(encodeFrame(frame), transfer, wireLimits.frameBytesMax)];
    for (const part of parts) this.sendBytes(part);
    return parts.reduce((sum, part) => sum + part.length, 0);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#host.replication.receive(this.key, bytes, this.#host.nowMs);
  }

  #take(): Uint8Array[] {
    const { sent } = this.#host;
    const mine = sent.filter(({ peer }) => peer === this.key);
    sent.splice(0, sent.length, ...sent.filter(({ peer }) => peer !== this.key));
    return mine.map(({ bytes }) => bytes);
  }
}
