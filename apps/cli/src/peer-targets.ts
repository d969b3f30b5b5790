import { webSocketTransport } from "@heddle/client/websocket";
import type { Environment } from "@heddle/core";
import type { PeerTarget } from "@heddle/replica";
import { WebSocket } from "ws";

/**
 * The relays that this one keeps a connection to.
 *
 * @param urls `ws:` or `wss:`; what stands behind `?` is sent and never shown.
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for an address that is no WebSocket's.
 */
export function peerTargets(
  urls: readonly string[],
  { scheduler }: Pick<Environment, "scheduler">,
): readonly PeerTarget[] {
  return urls.map((url) => {
    const transport = webSocketTransport({ url, WebSocket, scheduler });
    const { origin, pathname } = new URL(url);
    return { name: origin + pathname, transport };
  });
}
