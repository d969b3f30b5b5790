import { createHash } from "node:crypto";

import { addressText, parseAddress, type LanAddress } from "./address.ts";
import { isFingerprint, type Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";
import { pairingFailed } from "./pairing-failed.ts";

/** What one device shows and the other one is given: whoever holds it may be paired, once. */
export interface PairingLink {
  readonly addresses: readonly LanAddress[];
  /** 16 bytes, made for one pairing. */
  readonly secret: Uint8Array;
  /** Of the device that shows it. */
  readonly fingerprint: Fingerprint;
}

const secretBytes = 16;
const addressesMax = 4;

/** `heddle-pair:1?a=<address>&s=<secret>&f=<fingerprint>`: 1 is the version, bytes are base64url. */
export function writePairingLink({ addresses, secret, fingerprint }: PairingLink): string {
  const places = addresses.map((address) => `a=${addressText(address)}`);
  const pin = Buffer.from(fingerprint, "hex");
  return `heddle-pair:1?${[...places, `s=${base64(secret)}`, `f=${base64(pin)}`].join("&")}`;
}

/** @throws HeddleError `HEDDLE_PAIRING_FAILED` for anything but a whole link of a version that is known. */
export function parsePairingLink(text: string): PairingLink {
  const given = text.trim();
  if (given.length > lanLimits.linkCharactersMax) throw pairingFailed("the link is too long");
  const [, version, query = ""] = /^heddle-pair:(\d+)\?(.*)$/.exec(given) ?? [];
  if (version === undefined) throw pairingFailed("that is no link of heddle pair");
  if (version !== "1") throw pairingFailed(`the link is of a newer heddle (version ${version})`);
  const parts = query.split("&").map((part) => [part.slice(0, 2), part.slice(2)] as const);
  const valuesOf = (name: string) =>
    parts.filter(([key]) => key === name).map(([, value]) => value);
  const addresses = valuesOf("a=").map(parseAddress);
  const [secret] = valuesOf("s=").map((value) => Buffer.from(value, "base64url"));
  const [pin] = valuesOf("f=").map((value) => Buffer.from(value, "base64url").toString("hex"));
  const isPlaced = addresses.length > 0 && addresses.length <= addressesMax;
  if (!isPlaced || addresses.includes(undefined)) throw pairingFailed("the link names no address");
  if (secret?.length !== secretBytes || !isFingerprint(pin)) {
    throw pairingFailed("the link is damaged: copy all of it");
  }
  return {
    addresses: addresses as readonly LanAddress[],
    secret: Uint8Array.from(secret),
    fingerprint: pin,
  };
}

/** What a secret is called in the clear: it says nothing of the secret, and tells two pairings apart. */
export function pairingIdentity(secret: Uint8Array): string {
  const hash = createHash("sha256").update("heddle/pair-id/1").update(secret);
  return hash.digest("hex").slice(0, 16);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
