import { webSocketTransport } from "@heddle/client/websocket";
import { httpTransport } from "@heddle/client/http";
import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { PeerTarget } from "@heddle/replica";
import { httpWire, type Transport } from "@heddle/sync";
import { WebSocket } from "ws";

/**
 * The relays that this one keeps a connection to.
 *
 * @param urls `ws:` or `wss:`; or `http:` or `https:` where networks let no WebSocket through, with the
 *   path of the acceptor unless it is the usual one. What stands behind `?` is sent and never shown.
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for an address of something else.
 */
export function peerTargets(
  urls: readonly string[],
  { scheduler }: Pick<Environment, "scheduler">,
): readonly PeerTarget[] {
  return urls.map((url) => {
    const isHttp = /^https?:/i.test(url);
    const transport = isHttp
      ? overHttp(url, scheduler)
      : webSocketTransport({ url, WebSocket, scheduler });
    const { origin, pathname } = new URL(url);
    return { name: origin + pathname, transport };
  });
}

/** The token travels in a header there: of `?token=` nothing is left in the address. */
function overHttp(text: string, scheduler: Environment["scheduler"]): Transport {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const unknown = [...(url?.searchParams.keys() ?? [])].filter((name) => name !== "token");
  if (
    url === undefined ||
    url.username !== "" ||
    url.password !== "" ||
    unknown.length > 0 ||
    url.hash !== ""
  ) {
    const shown = text.replace(/[?#].*$/s, "").replace(/\/\/[^/@]*@/, "//");
    const message = `${shown} is no address of a peer: only ?token= may follow it`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  const token = url.searchParams.get("token");
  const path = url.pathname === "/" ? httpWire.path : url.pathname;
  const base = `${url.origin}${path}`;
  return httpTransport({ url: base, scheduler, ...(token !== null && { token }) });
}
