import type { TLSSocket } from "node:tls";

import { fingerprintOf, type Fingerprint } from "./device-identity.ts";

/** Who is at the other end of a TLS connection: TLS has proven that the key is theirs, and no more. */
export interface ShownDevice {
  readonly fingerprint: Fingerprint;
  /** 32 bytes, as in HELLO. */
  readonly publicKey: Uint8Array;
  /** Of this machine, and of the other one. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
}

/** Undefined without a certificate, or with one of another kind of key. Asked anew for each connection. */
export function shownDevice(socket: TLSSocket): ShownDevice | undefined {
  const key = socket.getPeerX509Certificate()?.publicKey;
  if (key?.asymmetricKeyType !== "ed25519") return undefined;
  const { x = "" } = key.export({ format: "jwk" });
  const { localAddress, remoteAddress } = socket;
  const publicKey = Uint8Array.from(Buffer.from(x, "base64url"));
  return { fingerprint: fingerprintOf(key), publicKey, localAddress, remoteAddress };
}
