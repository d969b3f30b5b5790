import { createPublicKey, sign, verify } from "node:crypto";

import { deviceKey, type DeviceKey } from "@heddle/core";

import { fingerprintOf, type DeviceIdentity, type Fingerprint } from "./device-identity.ts";
import { isName } from "./device-name.ts";
import { lanLimits } from "./lan-limits.ts";

/** What each device says of itself while they are paired, inside the connection that the secret made. */
export interface PairingCard {
  readonly fingerprint: Fingerprint;
  readonly key: DeviceKey;
  readonly name: string;
  /** Of the space that a host invites to; guests, and hosts of the open space or an older heddle, show none. */
  readonly genesis?: Uint8Array;
}

/** Who signs: a card cannot be sent back to whoever made it. */
export type PairingRole = "host" | "guest";

export interface CardPlace {
  readonly role: PairingRole;
  /** Of this very connection. */
  readonly binding: Uint8Array;
}

const format = "heddle-pair-card/1";
const spaceCharactersMax = Math.ceil((lanLimits.genesisBytesMax * 4) / 3);

/**
 * @param binding of this very connection (the TLS exporter): the signature is good on no other one, and
 * says that whoever speaks holds the key.
 */
export function writeCard(
  { privateKey, publicKey }: DeviceIdentity,
  name: string,
  { role, binding, genesis }: CardPlace & { readonly genesis?: Uint8Array | undefined },
): string {
  const key = Buffer.from(publicKey).toString("base64url");
  const signature = sign(null, signedPart(role, binding, name), privateKey).toString("base64url");
  // Not under the signature, which older ones know: whoever signed holds this connection, and all that comes by it.
  const space = genesis && Buffer.from(genesis).toString("base64url");
  return JSON.stringify({ format, key, name, signature, space });
}

/** Undefined for everything but a whole card whose signature is good. */
export function readCard(text: string, { role, binding }: CardPlace): PairingCard | undefined {
  try {
    const card = JSON.parse(text) as Record<string, unknown>;
    const { format: given, key: x, name, signature, space } = card;
    if (given !== format || typeof x !== "string" || !isName(name)) return undefined;
    if (typeof signature !== "string") return undefined;
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const bytes = Buffer.from(signature, "base64url");
    if (!verify(null, signedPart(role, binding, name), key, bytes)) return undefined;
    const own = {
      fingerprint: fingerprintOf(key),
      key: deviceKey(Buffer.from(x, "base64url")),
      name,
    };
    if (space === undefined) return own;
    if (typeof space !== "string" || space.length > spaceCharactersMax) return undefined;
    return { ...own, genesis: new Uint8Array(Buffer.from(space, "base64url")) };
  } catch {
    return undefined; // Neither JSON nor a key: the caller refuses what is no card.
  }
}

function signedPart(role: PairingRole, binding: Uint8Array, name: string): Uint8Array {
  return Buffer.concat([Buffer.from(`heddle/pair/1 ${role}\0`), binding, Buffer.from(name)]);
}
