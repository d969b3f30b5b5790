import { connect, type TLSSocket } from "node:tls";

import type { Scheduler } from "@heddle/core";

import type { LanAddress } from "./address.ts";
import type { DeviceIdentity, Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";
import { shownDevice } from "./peer-certificate.ts";

/** Who is at an address. */
export type Knocked =
  | { readonly found: "device"; readonly fingerprint: Fingerprint; readonly answer?: KnockAnswer }
  /** The device that was expected, and it does not know this one. */
  | { readonly found: "mistrust" }
  /** Something that is not a heddle device. */
  | { readonly found: "stranger" }
  /** The machine is there, and nobody listens. */
  | { readonly found: "nobody" }
  /** Nothing came back: a firewall, or no such machine. */
  | { readonly found: "silence" };

/** What a device that trusts this one says to a request that is none of the wire's. */
export interface KnockAnswer {
  /** Its clock, to the second. */
  readonly wallMs: number | undefined;
  /** Subprotocols that it speaks; undefined for one that does not say. */
  readonly speaks: readonly string[] | undefined;
}

export interface KnockOptions {
  readonly identity: DeviceIdentity;
  readonly scheduler: Scheduler;
  readonly knockMsMax?: number | undefined;
  /** Only this device is asked anything, and only when it has shown its key. */
  readonly expected?: Fingerprint | undefined;
}

const question = "GET / HTTP/1.1\r\nHost: heddle.invalid\r\nConnection: close\r\n\r\n";
const headBytesMax = 4 * 1024;

/** Makes one TLS handshake. Says no word in it, but to the device that is expected. */
export function knockAt({ host, port }: LanAddress, options: KnockOptions): Promise<Knocked> {
  const { knockMsMax = lanLimits.dialAddressMsMax, scheduler, identity, expected } = options;
  const { privateKey, certificate: cert } = identity;
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      key,
      cert,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      minVersion: "TLSv1.3",
    });
    let isExpected = false;
    const end = (knocked: Knocked): void => {
      callOff();
      socket.destroy();
      resolve(knocked);
    };
    const callOff = scheduler.after(knockMsMax, () => {
      end({ found: "silence" });
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (isExpected) return end({ found: "mistrust" });
      if (code === "ECONNREFUSED") return end({ found: "nobody" });
      const isLost = code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT";
      end({ found: isLost ? "silence" : "stranger" });
    });
    socket.once("close", () => end({ found: isExpected ? "mistrust" : "stranger" }));
    socket.once("secureConnect", () => {
      const shown = shownDevice(socket);
      if (shown === undefined) return end({ found: "stranger" });
      const { fingerprint } = shown;
      isExpected = fingerprint === expected;
      if (!isExpected) return end({ found: "device", fingerprint });
      askHead(socket, (answer) => end({ found: "device", fingerprint, answer }));
    });
  });
}

function askHead(socket: TLSSocket, then: (answer: KnockAnswer) => void): void {
  let head = "";
  socket.write(question);
  socket.on("data", (chunk: Buffer) => {
    head += chunk.toString("latin1");
    if (head.includes("\r\n\r\n") || head.length > headBytesMax) then(answerIn(head));
  });
}

function answerIn(head: string): KnockAnswer {
  const field = (name: string): string | undefined => {
    return new RegExp(`^${name}:[ \\t]*(.*?)\\s*$`, "im").exec(head)?.[1];
  };
  const wallMs = Date.parse(field("date") ?? "");
  return {
    wallMs: Number.isNaN(wallMs) ? undefined : wallMs,
    speaks: field("sec-websocket-protocol")?.split(/\s*,\s*/),
  };
}
