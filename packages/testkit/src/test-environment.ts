import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";

import { deflateRawSync, inflateRawSync } from "node:zlib";

import type {
  Compression,
  Environment,
  Hash,
  LogFields,
  Logger,
  Random,
  Scheduler,
  Signer,
  Verifier,
} from "@heddle/core";

import { ManualTime } from "./manual-time.ts";

/** Ports for tests: the same seed gives the same ids, keys and nonces on every machine. */
export interface TestEnvironment extends Environment {
  readonly clock: ManualTime;
  readonly scheduler: Scheduler;
  readonly logger: RecordedLog;
  readonly signer: Signer;
  readonly verifier: Verifier;
}

export interface TestEnvironmentOptions {
  /** `"real"` for tests that wait for disks; timers do not keep the process alive. */
  readonly timers?: "manual" | "real";
}

const startMs = Date.UTC(2026, 10, 20);

export function testEnvironment(
  seed: number | string = 1,
  { timers = "manual" }: TestEnvironmentOptions = {},
): TestEnvironment {
  const random = seededRandom(seed);
  const clock = new ManualTime(startMs);
  return {
    clock,
    scheduler: timers === "manual" ? clock : realScheduler,
    random,
    hash: testHash,
    compression: testCompression,
    logger: new RecordedLog(),
    signer: seededSigner(random.bytes(32)),
    verifier: testVerifier,
  };
}

/** SHA-256 of seed and counter, block after block. */
export function seededRandom(seed: number | string): Random {
  let blocks = 0;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let offset = 0; offset < length; offset += 32) {
        const block = createHash("sha256").update(`${seed}/${blocks++}`).digest();
        bytes.set(block.subarray(0, length - offset), offset);
      }
      return bytes;
    },
  };
}

export const testHash: Hash = {
  sha256: (bytes) => Uint8Array.from(createHash("sha256").update(bytes).digest()),
};

export const testCompression: Compression = {
  deflateRaw: async (bytes) => Uint8Array.from(deflateRawSync(bytes)),
  inflateRaw: async (bytes, lengthMax) => {
    return Uint8Array.from(inflateRawSync(bytes, { maxOutputLength: Math.max(1, lengthMax) }));
  },
};

/** `secret` is the 32 bytes of an Ed25519 private key. */
export function seededSigner(secret: Uint8Array): Signer {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicDer = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    devicePublicKey: Uint8Array.from(publicDer.subarray(-32)),
    sign: async (bytes) => Uint8Array.from(sign(null, bytes, privateKey)),
  };
}

export const testVerifier: Verifier = {
  async verify(devicePublicKey, bytes, signature) {
    const key = publicKeyFrom(devicePublicKey);
    return key !== undefined && verify(null, bytes, key, signature);
  },
};

function publicKeyFrom(raw: Uint8Array): KeyObject | undefined {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return undefined; // Not a key: the port answers "false", it does not throw.
  }
}

const realScheduler: Scheduler = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export interface LogLine {
  readonly level: keyof Logger;
  readonly event: string;
  readonly fields: LogFields;
}

/** Keeps what was logged, for tests that state what an operator gets to see. */
export class RecordedLog implements Logger {
  readonly lines: LogLine[] = [];

  debug(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: "debug", event, fields });
  }

  info(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", event, fields });
  }

  warn(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", event, fields });
  }

  error(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", event, fields });
  }
}
