import type { Environment, LogStore, Signer, Verifier } from "@heddle/core";
import { PeerRole } from "@heddle/sync";

import { EventListeners } from "./live/event-listeners.ts";
import { LiveReplica } from "./live/live-replica.ts";
import { LivePeers, type PeerEvents } from "./peers/live-peers.ts";
import type { PeerHostOptions } from "./peers/peer-host-options.ts";
import { PeerHost } from "./peers/peer-host.ts";
import { PeerSet, type PeerTarget } from "./peers/peer-set.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import { Replica } from "./replica.ts";

/** What a replica is embedded with, wherever it runs: all that is the platform's is handed in. */
export interface LiveReplicaParts extends Partial<ReplicaOptions> {
  readonly environment: Environment;
  /** Handed in open. */
  readonly store: LogStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
  /** Peers to keep a connection to, in the order of no preference: all of them. None: no peers at all. */
  readonly peers?: readonly PeerTarget[] | undefined;
  /** False: nobody is dialed before {@link LivePeers.setOnline}. Default true. */
  readonly isOnline?: boolean;
  /** Bring over everything that peers have, and not only the documents that were opened here. */
  readonly follow?: boolean;
  /** Take any document that a peer opens, too. */
  readonly adopt?: boolean;
  /** What it is to its peers; a replica by default. */
  readonly role?: PeerHostOptions["role"];
  /** Let go of what was opened for the replica, after it. */
  readonly release?: (() => Promise<void>) | undefined;
}

/**
 * Opens a replica for an application: recovers what a crash left behind, and only then returns.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` as the store does; then nothing is released.
 */
export async function openLiveReplica(parts: LiveReplicaParts): Promise<LiveReplica> {
  const { verifier, peers: targets, isOnline = true, follow = false, release, ...rest } = parts;
  const { adopt = follow, role = PeerRole.replica } = rest;
  const { environment } = rest;
  const own = { ...rest, engine: rest.engine ?? "heddle" };
  const replica = await Replica.open(own);
  const meeting = { ...own, replica, verifier, follow, adopt, role };
  const peers = targets && (await meet(meeting, targets, isOnline));
  return new LiveReplica({ replica, environment, release, peers });
}

type Meeting = Omit<PeerHostOptions, "hasOutbox" | "onEvent">;

async function meet(
  meeting: Meeting,
  targets: readonly PeerTarget[],
  isOnline: boolean,
): Promise<LivePeers> {
  const { environment, store, replica } = meeting;
  const events = new EventListeners<PeerEvents>();
  const host = await PeerHost.open({
    ...meeting,
    hasOutbox: true,
    onEvent: (event) => events.emit("sync", event),
  });
  const set = new PeerSet({
    host,
    environment,
    targets,
    onChange: (peer, change) => events.emit("connection", { ...change, peer }),
  });
  if (!isOnline) set.setOnline(false);
  set.start();
  return new LivePeers({ host, set, events, reading: { store, environment, replica } });
}
