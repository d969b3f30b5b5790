import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash as hashOnce,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";

import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type Environment,
  type Hash,
  type Logger,
  type Signer,
  type Verifier,
} from "@heddle/core";

import { nodeCompression } from "./node-compression.ts";
import { replaceFile } from "./node-replace-file.ts";

export { nodeCompression } from "./node-compression.ts";
export { FoldProcess, type FoldProcessOptions } from "./node-fold-process.ts";
export { ProcessJudge, type ProcessJudgeOptions } from "./node-process-judge.ts";

/** The ports of `@heddle/core` on Node's own clock, randomness, timers and cryptography. */
export function nodeEnvironment(logger: Logger): Environment {
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    random: { bytes: (length) => Uint8Array.from(randomBytes(length)) },
    scheduler: {
      after(delayMs, task) {
        if (delayMs <= 0) {
          // A timer of Node's waits for at least a millisecond, which is seven times what an answer takes.
          const next = setImmediate(task);
          next.unref();
          return () => clearImmediate(next);
        }
        const timer = setTimeout(task, delayMs);
        timer.unref();
        return () => clearTimeout(timer);
      },
    },
    hash: nodeHash,
    compression: nodeCompression,
    logger,
  };
}

/**
 * The one-shot call takes half the time of `createHash`, and exists from Node 20.12 on; asked for a
 * string, it takes half of that again, as it makes no buffer outside the heap.
 */
export const nodeHash: Hash = {
  sha256: (bytes) =>
    typeof hashOnce === "function"
      ? bytesOfLatin1(hashOnce("sha256", bytes, "binary"))
      : createHash("sha256").update(bytes).digest(),
};

function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** Keys that were used last are not read again. */
const keysMax = 1_024;
const keys = new Map<string, KeyObject>();

/** Works in a thread of Node's pool: a signature takes longer to verify than most frames to read. */
export const nodeVerifier: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    if (devicePublicKey.length !== 32 || signature.length !== 64) return false;
    try {
      return await verifyApart(keyOf(devicePublicKey), bytes, signature);
    } catch {
      return false; // A key that is no point of the curve: the port answers, it does not throw.
    }
  },
};

function verifyApart(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, bytes, key, signature, (error, isGood) => {
      if (error) reject(error);
      else resolve(isGood);
    });
  });
}

function keyOf(devicePublicKey: Uint8Array): KeyObject {
  const x = Buffer.from(devicePublicKey).toString("base64url");
  const known = keys.get(x);
  const key = known ?? createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  keys.delete(x);
  keys.set(x, key);
  const [oldest] = keys.keys();
  if (keys.size > keysMax && oldest !== undefined) keys.delete(oldest);
  return key;
}

/**
 * The device key kept in `file` (PKCS #8, readable by its owner only); made on first use.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the file is not such a key, `HEDDLE_STORAGE_IO` when
 * it cannot be read.
 */
export async function openDeviceKey(file: string): Promise<Signer> {
  return signerOf(await openDevicePrivateKey(file));
}

/**
 * As {@link openDeviceKey}, for what needs the key itself: connections that are held with it.
 *
 * @throws HeddleError as {@link openDeviceKey}.
 */
export async function openDevicePrivateKey(file: string): Promise<KeyObject> {
  const stored = readIfThere(file);
  if (stored !== undefined) return parseKey(file, stored);
  const { privateKey } = generateKeyPairSync("ed25519");
  await replaceFile(file, String(privateKey.export({ type: "pkcs8", format: "pem" })));
  return privateKey;
}

/** What is in the file of a device key. */
export type FoundDeviceKey =
  | { readonly found: "none" }
  | { readonly found: "damaged"; readonly why: string }
  /** In hex. */
  | { readonly found: "whole"; readonly publicKey: string };

/** Whose key is in `file`, for whoever compares it; makes none. */
export function readDeviceKey(file: string): FoundDeviceKey {
  try {
    const stored = readIfThere(file);
    if (stored === undefined) return { found: "none" };
    const { devicePublicKey } = signerOf(parseKey(file, stored));
    return { found: "whole", publicKey: toHex(devicePublicKey) };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    return { found: "damaged", why: error.message };
  }
}

/** A key that lives as long as the process: for replicas without a disk, and for tests. */
export function ephemeralDeviceKey(): Signer {
  return signerOf(generateKeyPairSync("ed25519").privateKey);
}

function signerOf(privateKey: KeyObject): Signer {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return {
    devicePublicKey: Uint8Array.from(Buffer.from(x ?? "", "base64url")),
    sign: async (bytes) => Uint8Array.from(sign(null, bytes, privateKey)),
  };
}

function parseKey(file: string, pem: string): KeyObject {
  // Without it the device is somebody else to its peers, which is for its owner to decide.
  const advice = "put it back from a backup, or remove it to go on as another device";
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (cause) {
    const message = `${file} holds no key that can be read; ${advice}`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
  }
  const message = `${file} holds a key that is not Ed25519; ${advice}`;
  throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const message = `${file} could not be read: ${String(error)}`;
    throw new HeddleError(HeddleErrorCode.storageIo, message, { cause: error });
  }
}
