import { HeddleError, HeddleErrorCode, type Signer, type Verifier } from "@heddle/core/base";

import { loadPart } from "../load-part.ts";
import { platformRandom } from "../platform-random.ts";
import type { KeyKeep } from "./platform.ts";

/** A key of WebCrypto cannot be taken out of the browser, not even by the page; a secret can. */
type KeptKey = CryptoKeyPair | { readonly secret: Uint8Array };

const algorithm = { name: "Ed25519" } as const;

/**
 * The device key kept in `keep`, made on first use: WebCrypto's where it has Ed25519, and a secret of 32
 * bytes in older browsers and outside secure contexts.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when something else is kept there, or as the keep does.
 */
export async function openDeviceKey(keep: KeyKeep): Promise<Signer> {
  const kept = await keep.read();
  if (kept !== undefined) return signerOf(parseKey(kept));
  const key = await newKey();
  await keep.write(key);
  return signerOf(key);
}

/** One that is gone with the page. */
export async function ephemeralKey(): Promise<Signer> {
  return signerOf(await newKey());
}

/** Keys that were used last are not imported again. */
const keysMax = 1_024;
const keys = new Map<string, Promise<CryptoKey>>();
let hasNative: boolean | undefined;

export const webVerifier: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    if (devicePublicKey.length !== 32 || signature.length !== 64) return false;
    hasNative ??= await isNative();
    try {
      if (hasNative) {
        const key = await importedKey(devicePublicKey);
        return await crypto.subtle.verify(algorithm, key, plain(signature), plain(bytes));
      }
      const { ed25519 } = await loadEd25519();
      return ed25519.verify(signature, bytes, devicePublicKey, { zip215: false });
    } catch {
      return false; // A key that is no point of the curve: the port answers, it does not throw.
    }
  },
};

const loadEd25519 = () => loadPart(() => import("@noble/curves/ed25519.js"));

async function newKey(): Promise<KeptKey> {
  hasNative ??= await isNative();
  if (!hasNative) return { secret: platformRandom.bytes(32) };
  return (await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"])) as CryptoKeyPair;
}

/** Browsers before 2024 or 2025, and pages outside a secure context, have no Ed25519 of their own. */
async function isNative(): Promise<boolean> {
  const { subtle } = crypto as { readonly subtle?: SubtleCrypto };
  if (subtle === undefined) return false;
  return subtle.generateKey(algorithm, false, ["sign", "verify"]).then(
    () => true,
    () => false,
  );
}

async function signerOf(key: KeptKey): Promise<Signer> {
  if ("secret" in key) {
    const { ed25519 } = await loadEd25519();
    const devicePublicKey = ed25519.getPublicKey(key.secret);
    return { devicePublicKey, sign: async (bytes) => ed25519.sign(bytes, key.secret) };
  }
  const { privateKey, publicKey } = key;
  return {
    devicePublicKey: new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)),
    sign: async (bytes) => {
      return new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, plain(bytes)));
    },
  };
}

function parseKey(kept: unknown): KeptKey {
  const { privateKey, publicKey, secret } = Object(kept) as Partial<Record<string, unknown>>;
  const isPair =
    globalThis.CryptoKey && [privateKey, publicKey].every((key) => key instanceof CryptoKey);
  if (isPair) return kept as CryptoKeyPair;
  if (secret instanceof Uint8Array && secret.length === 32) return { secret };
  // Without it the device is somebody else to its peers, which is for its owner to decide.
  const message = "what is kept in the place of the device key is none; remove the store to go on";
  throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
}

function importedKey(devicePublicKey: Uint8Array): Promise<CryptoKey> {
  const name = String(devicePublicKey);
  const key =
    keys.get(name) ??
    crypto.subtle.importKey("raw", plain(devicePublicKey), algorithm, false, ["verify"]);
  keys.delete(name);
  keys.set(name, key);
  const [oldest] = keys.keys();
  if (keys.size > keysMax && oldest !== undefined) keys.delete(oldest);
  return key;
}

/** The type of a view on shared memory is excluded by contract, not by the type of messages. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
