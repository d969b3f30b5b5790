import { platform } from "#platform";
import type { Logger } from "@heddle/core";
import type { LiveReplica, LiveReplicaParts, PeerTarget } from "@heddle/replica";

import { deviceSigner } from "./device-signer.ts";
import { loadSides } from "./engine/load-sides.ts";
import type { ReplicaStore } from "./platform/platform.ts";
import { silent } from "./silent-logger.ts";
import { webSocketTransport, type WebSocketTransportOptions } from "./web-socket-transport.ts";

/** The store, and what a replica does beyond it: whom it agrees with, and its bounds. */
export interface OpenReplicaOptions extends Partial<
  Omit<LiveReplicaParts, "store" | "environment" | "verifier" | "peers" | "release">
> {
  /** Closed with the replica. */
  readonly store: ReplicaStore;
  /** Peers to keep a connection to: addresses of relays, or ways of one's own. */
  readonly peers?: readonly (string | PeerTarget)[];
  /** For peers that are addresses: asked before each dial. */
  readonly getToken?: () => string | Promise<string>;
  /** For peers that are addresses. Node before 22 has none: give the one of `ws`. */
  readonly WebSocket?: WebSocketTransportOptions["WebSocket"];
  /** Default: silent. */
  readonly logger?: Logger;
}

/**
 * Opens a replica in this page or process: recovers what a crash left behind, and only then returns. The
 * device key is made on first open.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` as the store does, `HEDDLE_CONFIG_INVALID` for an address that is
 * no WebSocket's.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<LiveReplica> {
  const { store: given, peers, getToken, WebSocket, logger = silent, ...rest } = options;
  const targets = peers?.map((peer) => {
    return typeof peer === "string" ? targetOf(peer, getToken, WebSocket) : peer;
  });
  const { openLiveReplica } = await loadSides();
  const environment = platform.environment(logger);
  const store = await given.open(environment);
  const release = (): Promise<void> => store.close();
  try {
    const signer = rest.signer ?? (await deviceSigner(given, store));
    const { verifier } = platform;
    const parts = { ...rest, environment, store, signer, verifier, release };
    return await openLiveReplica({ ...parts, peers: targets });
  } catch (error) {
    await release();
    throw error;
  }
}

function targetOf(
  url: string,
  token: OpenReplicaOptions["getToken"],
  WebSocket: OpenReplicaOptions["WebSocket"],
): PeerTarget {
  const transport = webSocketTransport({
    url,
    ...(token && { token }),
    ...(WebSocket && { WebSocket }),
  });
  // An address may hold a token of the application's own.
  return { name: new URL(url).origin, transport };
}
