import { HeddleErrorCode } from "@heddle/core";
import { seededRandom, seededSigner, testVerifier } from "@heddle/testkit";
import { describe, expect, test } from "vitest";

import { ephemeralKey, openDeviceKey, webVerifier } from "./web-keys.ts";

const bytes = new TextEncoder().encode("what is signed");

function keepOf(value?: unknown) {
  return {
    value,
    read: async function () {
      return this.value;
    },
    write: async function (written: unknown) {
      this.value = written;
    },
  };
}

describe("keys of a browser", () => {
  test("[CLT-6] a device keeps its key, which nobody can export, and others believe it", async () => {
    const keep = keepOf();
    const first = await openDeviceKey(keep);
    const again = await openDeviceKey(keep);
    expect(again.devicePublicKey).toEqual(first.devicePublicKey);
    const { privateKey } = keep.value as CryptoKeyPair;
    await expect(crypto.subtle.exportKey("pkcs8", privateKey)).rejects.toThrow();
    const signature = await again.sign(bytes);
    expect(await testVerifier.verify(first.devicePublicKey, bytes, signature)).toBe(true);
    expect((await ephemeralKey()).devicePublicKey).not.toEqual(first.devicePublicKey);
  });

  test("[CLT-6] a secret signs as a key does, where there was no WebCrypto", async () => {
    const secret = seededRandom("secret").bytes(32);
    const signer = await openDeviceKey(keepOf({ secret }));
    const other = seededSigner(secret);
    expect(signer.devicePublicKey).toEqual(other.devicePublicKey);
    expect(await signer.sign(bytes)).toEqual(await other.sign(bytes));
  });

  test("verifies what others signed, and answers false to anything else", async () => {
    const { devicePublicKey, sign } = seededSigner(seededRandom("other").bytes(32));
    const signature = await sign(bytes);
    expect(await webVerifier.verify(devicePublicKey, bytes, signature)).toBe(true);
    expect(await webVerifier.verify(devicePublicKey, bytes.slice(1), signature)).toBe(false);
    expect(await webVerifier.verify(new Uint8Array(32).fill(255), bytes, signature)).toBe(false);
    expect(await webVerifier.verify(devicePublicKey.slice(1), bytes, signature)).toBe(false);
  });

  test.each([[{ secret: new Uint8Array(31) }], ["a key"], [null]])(
    "says so when %o is kept in its place",
    async (kept) => {
      const code = HeddleErrorCode.storageCorrupt;
      await expect(openDeviceKey(keepOf(kept))).rejects.toMatchObject({ code });
    },
  );
});
