// What the testkit's environment takes from Node's `crypto`, for a page: the same keys and hashes.
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";

interface Key {
  readonly secret?: Uint8Array;
  readonly publicKey: Uint8Array;
  export(): Uint8Array;
}

export function createHash(): { update(data: string | Uint8Array): { digest(): Uint8Array } } {
  return {
    update: (data) => ({
      digest: () => sha256(typeof data === "string" ? new TextEncoder().encode(data) : data),
    }),
  };
}

/** The last 32 bytes of PKCS #8 are the secret. */
export function createPrivateKey({ key }: { readonly key: Uint8Array }): Key {
  const secret = key.slice(-32);
  return { ...keyOf(ed25519.getPublicKey(secret)), secret };
}

/** The last 32 bytes of SPKI are the key. */
export function createPublicKey(from: Key | { readonly key: Uint8Array }): Key {
  return "key" in from ? keyOf(from.key.slice(-32)) : from;
}

export function sign(_algorithm: null, bytes: Uint8Array, { secret }: Key): Uint8Array {
  return ed25519.sign(bytes, secret!);
}

export function verify(
  _algorithm: null,
  bytes: Uint8Array,
  { publicKey }: Key,
  signature: Uint8Array,
): boolean {
  return ed25519.verify(signature, bytes, publicKey, { zip215: false });
}

function keyOf(publicKey: Uint8Array): Key {
  return { publicKey, export: () => publicKey };
}
