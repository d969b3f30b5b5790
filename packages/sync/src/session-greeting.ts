import { assert, HeddleErrorCode } from "@heddle/core";

import { unexpectedFrame } from "./frame-errors.ts";
import { HelloFeature } from "./frame-shapes.ts";
import { encodeFrame, type FrameOf } from "./frame.ts";
import { Handshake, protocolVersion, type Side } from "./handshake.ts";
import type { ReplicationOptions, SyncContext } from "./sync-context.ts";
import { wireLimits } from "./wire-limits.ts";

/** What a greeting needs of its session. */
export interface GreetingSession {
  readonly isClosed: boolean;
  sendBytes(bytes: Uint8Array): void;
  close(code: HeddleErrorCode): void;
  /** Both AUTHs are good: ours is out, the peer's was verified. */
  onGreeted(): void;
}

/** HELLO and AUTH of one session, both ways; signatures are made and checked by the host. */
export class SessionGreeting {
  readonly #context: SyncContext;
  readonly #session: GreetingSession;
  readonly #hello: FrameOf<"hello">;
  readonly #handshake: Handshake;
  #isPeerProven = false;
  #isAuthSent = false;

  constructor(context: SyncContext, session: GreetingSession, side: Side) {
    this.#context = context;
    this.#session = session;
    this.#hello = helloOf(context);
    this.#handshake = new Handshake(context.options.hash, side, this.#hello);
  }

  /** The peer's HELLO. There is one once the session is live. */
  get peer(): FrameOf<"hello"> {
    assert(this.#handshake.peerHello !== undefined, "a live session has heard a HELLO");
    return this.#handshake.peerHello;
  }

  begin(): void {
    this.#session.sendBytes(this.#handshake.helloBytes);
  }

  /** @throws HeddleError when there is nothing to agree on. */
  receiveHello(hello: FrameOf<"hello">, bytes: Uint8Array): void {
    const input = this.#handshake.receiveHello(this.#hello, hello, bytes);
    this.#context.request("sign", { bytes: input }, (signature) => {
      if (this.#session.isClosed) return;
      const proof = new Uint8Array();
      this.#session.sendBytes(encodeFrame({ name: "auth", signature, proof }));
      this.#isAuthSent = true;
      this.#advance();
    });
  }

  /** @throws HeddleError when it comes twice or before HELLO. */
  receiveAuth({ signature }: FrameOf<"auth">): void {
    if (this.#isPeerProven) throw unexpectedFrame("AUTH");
    const bytes = this.#handshake.peerAuthInput();
    const { devicePublicKey } = this.peer;
    this.#context.request("verify", { devicePublicKey, bytes, signature }, (isGood) => {
      if (this.#session.isClosed) return;
      // A forger gets no further than a damaged frame does; an honest peer tries again.
      if (!isGood) return this.#session.close(HeddleErrorCode.frameMalformed);
      this.#isPeerProven = true;
      this.#advance();
    });
  }

  #advance(): void {
    if (this.#isPeerProven && this.#isAuthSent) this.#session.onGreeted();
  }
}

/** What a replica does beyond what all do; bits of HELLO. */
export function featuresOf(options: ReplicationOptions): number {
  const { adopt, follow, comparesLibraries = true, announces = true } = options;
  const library = adopt && follow && comparesLibraries ? HelloFeature.library : 0;
  return library | (announces ? HelloFeature.announce : 0);
}

function helloOf({ options, limits }: SyncContext): FrameOf<"hello"> {
  const { space, store, incarnations, devicePublicKey, random, role, engine } = options;
  return {
    name: "hello",
    versionMin: protocolVersion.floor,
    versionMax: protocolVersion.newest,
    features: featuresOf(options),
    space,
    store,
    incarnation: incarnations.at(-1)!.nonce,
    devicePublicKey,
    nonce: random.bytes(32),
    frameBytesMax: wireLimits.frameBytesMax,
    creditBytes: limits.creditBytes,
    role,
    engine,
  };
}
