import { createHash, createPublicKey, sign, type KeyObject } from "node:crypto";

import { der, DerTag } from "./der.ts";

/** SHA-256 of a device's public key (its SubjectPublicKeyInfo), in hex: how a device is named and pinned. */
export type Fingerprint = string;

/** A device as its neighbours see it: the key that signs its envelopes also holds its connections. */
export interface DeviceIdentity {
  /** Ed25519. */
  readonly privateKey: KeyObject;
  /** 32 bytes, as in HELLO. */
  readonly publicKey: Uint8Array;
  readonly fingerprint: Fingerprint;
  /** Self-signed, in PEM; says nothing but the key. */
  readonly certificate: string;
}

export function identityOf(privateKey: KeyObject): DeviceIdentity {
  const publicKey = createPublicKey(privateKey);
  return {
    privateKey,
    publicKey: rawKeyOf(publicKey),
    fingerprint: fingerprintOf(publicKey),
    certificate: certificateOf(privateKey, publicKey),
  };
}

/** Of a public key of whatever kind. */
export function fingerprintOf(publicKey: KeyObject): Fingerprint {
  return createHash("sha256").update(spkiOf(publicKey)).digest("hex");
}

/** The fingerprint of an Ed25519 key as it stands in HELLO; any 32 bytes have one. */
export function fingerprintOfRaw(publicKey: Uint8Array): Fingerprint {
  const bits = der(DerTag.bitString, Uint8Array.of(0), publicKey);
  return createHash("sha256")
    .update(der(DerTag.sequence, ed25519, bits))
    .digest("hex");
}

export function isFingerprint(text: unknown): text is Fingerprint {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

/** For people: enough to tell devices apart, in groups that can be read aloud. */
export function shortFingerprint(fingerprint: Fingerprint): string {
  return fingerprint.slice(0, 16).replaceAll(/(.{4})(?!$)/g, "$1-");
}

function rawKeyOf(publicKey: KeyObject): Uint8Array {
  const { x = "" } = publicKey.export({ format: "jwk" });
  return Uint8Array.from(Buffer.from(x, "base64url"));
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}

const ed25519 = der(DerTag.sequence, der(DerTag.oid, Uint8Array.of(0x2b, 0x65, 0x70)));
const commonName = der(DerTag.oid, Uint8Array.of(0x55, 0x04, 0x03));

/**
 * An X.509 certificate (RFC 5280, RFC 8410) of one device for itself. Nobody looks at its name and
 * dates: the key is compared with a pin. So one key has one certificate, and it never runs out.
 */
function certificateOf(privateKey: KeyObject, publicKey: KeyObject): string {
  const heddle = text(DerTag.utf8String, "heddle device");
  const name = der(DerTag.sequence, der(DerTag.set, der(DerTag.sequence, commonName, heddle)));
  const signed = der(
    DerTag.sequence,
    der(DerTag.context0, der(DerTag.integer, Uint8Array.of(2))),
    der(DerTag.integer, Uint8Array.of(1)),
    ed25519,
    name,
    der(
      DerTag.sequence,
      text(DerTag.utcTime, "200101000000Z"),
      text(DerTag.generalizedTime, "99991231235959Z"),
    ),
    name,
    spkiOf(publicKey),
  );
  const signature = der(DerTag.bitString, Uint8Array.of(0), sign(null, signed, privateKey));
  const bytes = der(DerTag.sequence, signed, ed25519, signature);
  const lines = bytes.toString("base64").match(/.{1,64}/g)!;
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function text(tag: number, content: string): Buffer {
  return der(tag, Buffer.from(content));
}
