import { isIP } from "node:net";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { PeerHost, Replica } from "@heddle/replica";

import type { RelayLimits } from "./relay-limits.ts";

export interface RelayOptions {
  readonly replica: Replica;
  /** Speaks with heddle replicas, on the same port; without it they are not let in. */
  readonly peers?: PeerHost | undefined;
  readonly environment: Environment;
  /** Address to listen on; anything but loopback needs {@link access} to be decided. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly access?: RelayAccess;
  /** Folder with a built web application, served under `/`. */
  readonly appDirectory?: string | undefined;
  readonly limits?: Partial<RelayLimits>;
  /** A proxy stands in front: addresses are what it writes into `X-Forwarded-For`. */
  readonly trustProxy?: boolean;
  /** Resident memory of the process in bytes; tests bring their own. */
  readonly readMemory?: () => number;
}

export interface RelayAccess {
  /** Clients must send it as `?token=`. */
  readonly token?: string | undefined;
  /** Origins of web pages that may connect, e.g. `https://notes.example`; `*` for all. */
  readonly allowOrigins?: readonly string[];
  /** "I know that everybody who reaches this address can read and write everything." */
  readonly open?: boolean;
}

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
  // What an unset variable leaves behind in a script must not count as a decision.
  if (access.token === "" || access.allowOrigins?.includes("")) {
    const message =
      "the token or an allowed origin is empty: leave the flag out, or give it a value";
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  const isDecided = access.token || access.open || (access.allowOrigins?.length ?? 0) > 0;
  if (isLoopback(host) || isDecided) return;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `${host} can be reached from other machines, and nothing says who may connect. ` +
      "Give --token SECRET, --allow-origin ORIGIN, or --open if everybody may read and write.",
  );
}
