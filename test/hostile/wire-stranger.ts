import { randomBytes } from "node:crypto";

import { openSpaceId, storeId, type Signer } from "@heddle/core";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";
import {
  decodeFrame,
  encodeFrame,
  Handshake,
  PeerRole,
  protocolVersion,
  subprotocol,
  wireLimits,
  type Frame,
  type FrameOf,
} from "@heddle/sync";
import { WebSocket } from "ws";

import { until } from "../integration/stock-client.ts";
import { from } from "./raw-client.ts";

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const { hash } = nodeEnvironment(silent);

/** Somebody with a key made up on the spot, who greets as told and then says whatever they like. */
export class WireStranger implements Disposable {
  readonly heard: Frame[] = [];
  closeReason: string | undefined;
  readonly #socket: WebSocket;
  readonly #signer: Signer = ephemeralDeviceKey();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** In a session (a relay follows whoever is in one: CURSOR is what it says first), as if through a proxy that says `address`. */
  static async greet(url: string, address: string): Promise<WireStranger> {
    const socket = new WebSocket(url, [subprotocol], from(address));
    const stranger = new WireStranger(socket);
    socket.binaryType = "arraybuffer";
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      stranger.closeReason = `${code} ${reason.toString()}`;
    });
    const handshake = new Handshake(hash, "initiator", stranger.#own);
    socket.on("message", (data: ArrayBuffer) =>
      stranger.#onMessage(new Uint8Array(data), handshake),
    );
    socket.on("open", () => socket.send(handshake.helloBytes));
    await until(() => stranger.has("cursor") || stranger.closeReason !== undefined, "a greeting");
    return stranger;
  }

  has(name: Frame["name"]): boolean {
    return this.heard.some((frame) => frame.name === name);
  }

  say(frame: Frame): void {
    this.#socket.send(encodeFrame(frame));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }

  #onMessage(bytes: Uint8Array, handshake: Handshake): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return;
    this.heard.push(frame);
    if (frame.name !== "hello") return;
    const input = handshake.receiveHello(this.#own, frame, bytes);
    void this.#signer.sign(input).then((signature) => {
      this.say({ name: "auth", signature, proof: new Uint8Array() });
    });
  }

  readonly #own: FrameOf<"hello"> = {
    name: "hello",
    versionMin: protocolVersion.floor,
    versionMax: protocolVersion.newest,
    features: 0,
    space: openSpaceId(hash),
    store: storeId(randomBytes(16)),
    incarnation: new Uint8Array(randomBytes(16)),
    devicePublicKey: this.#signer.devicePublicKey,
    nonce: new Uint8Array(randomBytes(32)),
    frameBytesMax: wireLimits.frameBytesMax,
    creditBytes: 1024 * 1024,
    role: PeerRole.replica,
    engine: "stranger",
  };
}
