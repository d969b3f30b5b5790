import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

import { HeddleError, HeddleErrorCode, parseDocumentName, type DocumentName } from "@heddle/core";

import { isLoopback, type RelayAccess } from "./relay-options.ts";

export interface ConnectRequest {
  readonly name: DocumentName;
  readonly token: string | undefined;
}

/**
 * Reads the document name (the path) and the token from an upgrade request.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the name is not one.
 */
export function readConnectRequest(request: IncomingMessage): ConnectRequest {
  const url = addressAskedFor(request);
  if (url === undefined) {
    const message = "document name refused: the address cannot be read";
    throw new HeddleError(HeddleErrorCode.frameMalformed, message);
  }
  return {
    name: parseDocumentName(decodePath(url.pathname.slice(1))),
    token: url.searchParams.get("token") ?? undefined,
  };
}

/** The token of a request whose path means nothing; none when its address cannot be read. */
export function readToken(request: IncomingMessage): string | undefined {
  return addressAskedFor(request)?.searchParams.get("token") ?? undefined;
}

/**
 * Browsers send the page's origin with every WebSocket, and the relay is what has to look at it:
 * otherwise any web page could talk to a relay on the visitor's own machine. That the origin equals
 * the host asked for proves nothing: a page can point its own name at 127.0.0.1.
 */
export function isOriginAllowed(
  origin: string | undefined,
  { allowOrigins = [], open = false, token }: RelayAccess,
): boolean {
  if (origin === undefined) return true; // Not a browser.
  if (allowOrigins.includes("*") || allowOrigins.includes(origin)) return true;
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  if (parsed === undefined) return false;
  if (allowOrigins.length > 0) return false;
  // A token is no cookie: a page that has it was given it, wherever it comes from.
  if (open || token) return true;
  return isLoopback(parsed.hostname.replace(/^\[|\]$/g, ""));
}

/** Compares hashes, so that neither length nor content shows in the time it takes. */
export function isTokenRight(given: string | undefined, { token }: RelayAccess): boolean {
  if (token === undefined) return true;
  return given !== undefined && timingSafeEqual(sha256(given), sha256(token));
}

function addressAskedFor({ url }: IncomingMessage): URL | undefined {
  // Put together, not resolved: `//` would be resolved as the start of another host.
  const address = `http://relay.invalid${url}`;
  return URL.canParse(address) ? new URL(address) : undefined;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    const message = "document name refused: the address is not valid UTF-8";
    throw new HeddleError(HeddleErrorCode.frameMalformed, message, { cause });
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
