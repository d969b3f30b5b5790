import { concatBytes, equalBytes, HeddleError, HeddleErrorCode, type Hash } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { unexpectedFrame } from "./frame-errors.ts";
import { encodeFrame, type FrameOf } from "./frame.ts";
import { wireLimits } from "./wire-limits.ts";

/** Versions of the wire that this code speaks. The floor rises when an old one is given up. */
export const protocolVersion = { floor: 1, newest: 1 } as const;

export type Side = "initiator" | "acceptor";

const authDomain = encodeUtf8("heddle/auth/1");

/**
 * Beginning of a connection, alike on both sides:
 *
 *   HELLO sent ──HELLO──► AUTH sent ──AUTH, signature good──► live
 *        └───────────────────┴──anything wrong──► refused, with a code
 *
 * The signature covers both HELLOs, nonces included, and the side of who signs: it can neither be
 * replayed on another connection nor sent back to who made it.
 */
export class Handshake {
  readonly #hash: Hash;
  readonly #side: Side;
  readonly #hello: Uint8Array;
  #peerHello: FrameOf<"hello"> | undefined;
  #peerHelloBytes: Uint8Array | undefined;

  constructor(hash: Hash, side: Side, hello: FrameOf<"hello">) {
    this.#hash = hash;
    this.#side = side;
    this.#hello = encodeFrame(hello);
  }

  /** What goes out first. */
  get helloBytes(): Uint8Array {
    return this.#hello;
  }

  get peerHello(): FrameOf<"hello"> | undefined {
    return this.#peerHello;
  }

  /**
   * Takes the peer's HELLO and returns what this side has to sign for its AUTH.
   *
   * @param bytes the frame as it came: the signature covers what was sent, not what was understood.
   * @throws HeddleError `HEDDLE_PROTOCOL_VERSION` without a common version, `HEDDLE_SESSION_REFUSED` for
   * another space or a peer that is ourselves, `HEDDLE_FRAME_UNEXPECTED` for a second HELLO.
   */
  receiveHello(own: FrameOf<"hello">, hello: FrameOf<"hello">, bytes: Uint8Array): Uint8Array {
    if (this.#peerHello) throw unexpectedFrame("a second HELLO");
    negotiate(own, hello);
    if (hello.space !== own.space) throw refused("the peer has another space");
    // Our own nonce comes back when a connection leads to ourselves or somebody reflects it.
    if (equalBytes(hello.nonce, own.nonce)) throw refused("the peer is ourselves");
    if (hello.frameBytesMax < wireLimits.frameBytesMin) throw refused("its frames are too small");
    this.#peerHello = hello;
    this.#peerHelloBytes = bytes.slice();
    return this.#authInput(this.#side);
  }

  /** What the peer's AUTH must be a signature of. */
  peerAuthInput(): Uint8Array {
    if (!this.#peerHello) throw unexpectedFrame("AUTH before HELLO");
    return this.#authInput(this.#side === "initiator" ? "acceptor" : "initiator");
  }

  #authInput(signer: Side): Uint8Array {
    const peer = this.#peerHelloBytes ?? new Uint8Array();
    const isOurs = signer === this.#side;
    const [ofSigner, ofOther] = isOurs ? [this.#hello, peer] : [peer, this.#hello];
    return concatBytes([
      authDomain,
      Uint8Array.of(signer === "initiator" ? 1 : 2),
      this.#hash.sha256(ofSigner),
      this.#hash.sha256(ofOther),
    ]);
  }
}

/**
 * The highest version that both speak.
 *
 * @throws HeddleError `HEDDLE_PROTOCOL_VERSION`, which says who has to update.
 */
export function negotiate(
  own: Pick<FrameOf<"hello">, "versionMin" | "versionMax">,
  peer: Pick<FrameOf<"hello">, "versionMin" | "versionMax">,
): number {
  const version = Math.min(own.versionMax, peer.versionMax);
  if (version >= Math.max(own.versionMin, peer.versionMin)) return version;
  const older = peer.versionMax < own.versionMin ? "the peer is too old" : "this side is too old";
  throw new HeddleError(
    HeddleErrorCode.protocolVersion,
    `no common version of the wire: ${older} (ours ${own.versionMin} to ${own.versionMax}, ` +
      `theirs ${peer.versionMin} to ${peer.versionMax})`,
  );
}

function refused(why: string): HeddleError {
  return new HeddleError(HeddleErrorCode.sessionRefused, `the session is refused: ${why}`);
}
