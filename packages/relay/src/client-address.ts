import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

import { isLoopback } from "./relay-options.ts";

/** What limits are counted by, and whether the client is on this machine. */
export interface ClientAddress {
  readonly text: string;
  readonly isLocal: boolean;
}

/**
 * Where a request comes from. With `trustProxy` it is the last entry of `X-Forwarded-For`: the one that
 * the proxy in front of this relay wrote itself. Earlier entries are what the client claims.
 */
export function addressOf(request: IncomingMessage, trustProxy: boolean): ClientAddress {
  const peer = parseAddress(request.socket.remoteAddress);
  if (!trustProxy) return peer;
  const forwarded = String(request.headers["x-forwarded-for"] ?? "")
    .split(",")
    .at(-1);
  const text = forwarded?.trim().replace(/^\[|\]$/g, "") ?? "";
  return isIP(text) === 0 ? peer : parseAddress(text);
}

/**
 * IPv4 as it is, also where it comes in IPv6's clothes; of IPv6 the first 64 bits, because that is
 * what one household gets and the rest is for it to choose.
 */
export function parseAddress(address: string | undefined): ClientAddress {
  const text = (address ?? "").replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  const isLocal = isLoopback(text);
  return { text: isIP(text) === 6 && !isLocal ? network64(text) : text, isLocal };
}

function network64(address: string): string {
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const behind = tail === undefined || tail === "" ? [] : tail.split(":");
  // A dotted quad at the end stands for two groups.
  const missing = 8 - groups.length - behind.length - (behind.at(-1)?.includes(".") ? 1 : 0);
  const all = tail === undefined ? groups : [...groups, ...Array(missing).fill("0"), ...behind];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
