/**
 * Ports to the world outside. Kernel code reads the clock, randomness, timers and cryptography only
 * through these, so that the simulator can drive the very code that ships.
 */

/** Wall time in whole milliseconds since 1970. May jump; nothing may order or expire data by it. */
export interface Clock {
  nowMs(): number;
  /** Milliseconds that never go back, with fractions; only differences mean anything. */
  monotonicMs(): number;
}

export interface Random {
  /** `length` bytes fit for keys and nonces. */
  bytes(length: number): Uint8Array;
}

export interface Scheduler {
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

export interface Hash {
  /** 32 bytes. Synchronous, because every seal and accept needs it. */
  sha256(bytes: Uint8Array): Uint8Array;
}

/** Ed25519 over the given bytes. Asynchronous: keys may live in WebCrypto. */
export interface Signer {
  /** 32 raw bytes. */
  readonly devicePublicKey: Uint8Array;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

export interface Verifier {
  /** False for a wrong signature and for a malformed key alike; never throws on bad input. */
  verify(devicePublicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Events with fields (`store.fenced { code }`), never sentences put together. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Raw deflate (RFC 1951), for what is stored and not for what is sent. */
export interface Compression {
  deflateRaw(bytes: Uint8Array): Promise<Uint8Array>;
  /** Stops at `lengthMax` bytes, before more is allocated; rejects then, and when it is no deflate. */
  inflateRaw(bytes: Uint8Array, lengthMax: number): Promise<Uint8Array>;
}

export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly hash: Hash;
  readonly compression: Compression;
  readonly logger: Logger;
}
