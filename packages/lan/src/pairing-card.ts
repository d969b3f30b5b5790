import { createPublicKey, sign, verify } from "node:crypto";

import { fingerprintOf, type DeviceIdentity, type Fingerprint } from "./device-identity.ts";
import { isName } from "./device-name.ts";

/** What each device says of itself while they are paired, inside the connection that the secret made. */
export interface PairingCard {
  readonly fingerprint: Fingerprint;
  readonly name: string;
}

/** Who signs: a card cannot be sent back to whoever made it. */
export type PairingRole = "host" | "guest";

const format = "heddle-pair-card/1";

/**
 * @param binding of this very connection (the TLS exporter): the signature is good on no other one, and
 * says that whoever speaks holds the key.
 */
export function writeCard(
  { privateKey, publicKey }: DeviceIdentity,
  name: string,
  { role, binding }: { readonly role: PairingRole; readonly binding: Uint8Array },
): string {
  const key = Buffer.from(publicKey).toString("base64url");
  const signature = sign(null, signedPart(role, binding, name), privateKey).toString("base64url");
  return JSON.stringify({ format, key, name, signature });
}

/** Undefined for everything but a whole card whose signature is good. */
export function readCard(
  text: string,
  { role, binding }: { readonly role: PairingRole; readonly binding: Uint8Array },
): PairingCard | undefined {
  try {
    const { format: given, key: x, name, signature } = JSON.parse(text) as Record<string, unknown>;
    if (given !== format || typeof x !== "string" || !isName(name)) return undefined;
    if (typeof signature !== "string") return undefined;
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const bytes = Buffer.from(signature, "base64url");
    if (!verify(null, signedPart(role, binding, name), key, bytes)) return undefined;
    return { fingerprint: fingerprintOf(key), name };
  } catch {
    return undefined; // Neither JSON nor a key: the caller refuses what is no card.
  }
}

function signedPart(role: PairingRole, binding: Uint8Array, name: string): Uint8Array {
  return Buffer.concat([Buffer.from(`heddle/pair/1 ${role}\0`), binding, Buffer.from(name)]);
}
