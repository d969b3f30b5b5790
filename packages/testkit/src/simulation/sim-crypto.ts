import { concatBytes, equalBytes, type Signer, type Verifier } from "@heddle/core";

import { testHash } from "../test-environment.ts";

/**
 * Signatures at the price of a hash, for simulations in which nobody forges: they find every damaged
 * byte. `testVerifier` and `seededSigner` of the testkit are the real ones.
 */
export function hashSigner(secret: Uint8Array): Signer {
  const devicePublicKey = testHash.sha256(secret);
  return { devicePublicKey, sign: async (bytes) => signatureOf(devicePublicKey, bytes) };
}

export const hashVerifier: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    return equalBytes(signatureOf(devicePublicKey, bytes), signature);
  },
};

function signatureOf(devicePublicKey: Uint8Array, bytes: Uint8Array): Uint8Array {
  const first = testHash.sha256(concatBytes([devicePublicKey, bytes]));
  return concatBytes([first, testHash.sha256(first)]);
}
