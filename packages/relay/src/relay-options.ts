import { isIP } from "node:net";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { Replica } from "@heddle/replica";

export interface RelayOptions {
  readonly replica: Replica;
  readonly environment: Environment;
  /** Address to listen on; anything but loopback needs {@link access} to be decided. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly access?: RelayAccess;
  /** Folder with a built web application, served under `/`. */
  readonly appDirectory?: string | undefined;
  readonly limits?: Partial<RelayLimits>;
}

export interface RelayAccess {
  /** Clients must send it as `?token=`. */
  readonly token?: string | undefined;
  /** Origins of web pages that may connect, e.g. `https://notes.example`; `*` for all. */
  readonly allowOrigins?: readonly string[];
  /** "I know that everybody who reaches this address can read and write everything." */
  readonly open?: boolean;
}

export interface RelayLimits {
  /** One WebSocket message. One paste is one message, and stock clients cannot split it. */
  readonly messageBytesMax: number;
  /** Updates of one connection on their way to disk, above which it is no longer read from. */
  readonly unsavedBytesMax: number;
  /** What may wait to be sent to one connection. A slower reader is closed and comes back. */
  readonly sendBufferBytesMax: number;
  /** Refused connections are held this long: old clients reconnect at once whatever the code. */
  readonly refusalDelayMs: number;
  readonly pingIntervalMs: number;
  /** How long a drain waits for clients to hang up. */
  readonly drainMsMax: number;
}

export const defaultRelayLimits: RelayLimits = {
  messageBytesMax: 16 * 1024 * 1024,
  unsavedBytesMax: 4 * 1024 * 1024,
  sendBufferBytesMax: 64 * 1024 * 1024,
  refusalDelayMs: 2_000,
  pingIntervalMs: 30_000,
  drainMsMax: 5_000,
};

export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/**
 * Refuses to serve strangers by accident (RLY-7).
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` with a sentence that says what to do.
 */
export function assertAccessDecided(host: string, access: RelayAccess = {}): void {
  const isDecided = access.token || access.open || (access.allowOrigins?.length ?? 0) > 0;
  if (isLoopback(host) || isDecided) return;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `${host} can be reached from other machines, and nothing says who may connect. ` +
      "Give --token SECRET, --allow-origin ORIGIN, or --open if everybody may read and write.",
  );
}
