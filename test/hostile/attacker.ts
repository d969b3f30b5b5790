import { once } from "node:events";

import { WebSocket } from "ws";

import { sync } from "./corpus.ts";

/** A connection that speaks the protocol and says what it likes. */
export class Attacker {
  readonly #url: string;
  #socket: WebSocket | undefined;
  #closeCode: number | undefined;
  #answered = 0;
  #asked = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** How often it had to connect. */
  connections = 0;

  /** Sends `messages`, then asks for the document: the answer tells that they were dealt with. */
  async attack(messages: readonly Uint8Array[], timeoutMs = 30_000): Promise<"open" | number> {
    const socket = await this.#open();
    for (const message of messages) socket.send(message);
    this.#asked++;
    const wanted = this.#asked;
    socket.send(sync(0, Uint8Array.of(0)));
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#answered < wanted && this.#closeCode === undefined) {
      if (performance.now() > deadlineMs) throw new Error(`no answer from ${this.#url}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return this.#closeCode ?? "open";
  }

  close(): void {
    this.#socket?.terminate();
  }

  async #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    this.connections++;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#asked = 0;
    this.#answered = 0;
    this.#closeCode = undefined;
    socket.once("close", (code) => {
      if (this.#socket === socket) this.#closeCode = code;
    });
    socket.on("error", () => undefined); // The close that follows says all there is to say.
    socket.on("message", (data: Buffer) => {
      // A sync step 2, the answer to a step 1.
      if (data[0] === 0 && data[1] === 1) this.#answered++;
    });
    await once(socket, "open");
    return socket;
  }
}
