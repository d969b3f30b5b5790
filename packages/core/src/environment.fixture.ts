import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";

import type { Clock, Hash, Random, Signer, Verifier } from "./environment.ts";

/** The world of the kernel's tests: real cryptography, and everything else from a seed. */
export const sha256: Hash = {
  sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};

export const ed25519: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    if (devicePublicKey.length !== 32) return false;
    const der = Buffer.concat([spkiPrefix, devicePublicKey]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return verify(null, bytes, key, signature);
  },
};

/** A device whose key is the hash of `seed`. */
export function seededSigner(seed: string): Signer {
  const der = Buffer.concat([pkcs8Prefix, seededBytes(seed, 32)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    devicePublicKey: new Uint8Array(publicKey.subarray(spkiPrefix.length)),
    sign: async (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
  };
}

/** A new sequence of bytes on each call, the same sequence for the same seed. */
export function seededRandom(seed: string): Random {
  let calls = 0;
  return { bytes: (length) => seededBytes(`${seed}/${calls++}`, length) };
}

/** A clock that stands still until somebody sets it. */
export class SetClock implements Clock {
  wallMs: number;

  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }

  nowMs(): number {
    return this.wallMs;
  }

  monotonicMs(): number {
    return this.wallMs;
  }
}

/** Headers of a raw Ed25519 key in DER (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

function seededBytes(seed: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length; offset += 32) {
    const block = sha256.sha256(new TextEncoder().encode(`${seed}:${offset}`));
    bytes.set(block.subarray(0, length - offset), offset);
  }
  return bytes;
}
