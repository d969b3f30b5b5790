import type { Environment, LogStore, Signer, Verifier } from "@heddle/core";
import { PeerRole } from "@heddle/sync";

import type { DriftTimes } from "./drift/drift-options.ts";
import { DriftWatch } from "./drift/drift-watch.ts";
import { EventListeners } from "./live/event-listeners.ts";
import { LiveReplica, type OpenSinks } from "./live/live-replica.ts";
import { LivePeers, type PeerEvents } from "./peers/live-peers.ts";
import type { MayOffer } from "./peers/offered-documents.ts";
import type { PeerHostOptions } from "./peers/peer-host-options.ts";
import { PeerHost } from "./peers/peer-host.ts";
import type { DialerChange } from "./peers/dialer-state.ts";
import { PeerSet, type PeerTarget } from "./peers/peer-set.ts";
import {
  spaceGroundOf,
  type PeerGround,
  type PeerSource,
  type RunningPeerSource,
} from "./peers/peer-source.ts";
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
  /** Whoever finds peers by itself, beside those. */
  readonly sources?: readonly PeerSource[] | undefined;
  /** What sources are told of where the replica lives; undefined where it has no folder. */
  readonly directory?: string | undefined;
  readonly deviceKeyFile?: string | undefined;
  /** False: nobody is dialed before {@link LivePeers.setOnline}. Default true. */
  readonly isOnline?: boolean;
  /** Bring over everything that peers have, and not only the documents that were opened here. */
  readonly follow?: boolean;
  /** Take any document that a peer opens, too. */
  readonly adopt?: boolean;
  /** Which peers are to have which documents. Default: all that may be members have all. */
  readonly mayOffer?: MayOffer | undefined;
  /** What it is to its peers; a replica by default. */
  readonly role?: PeerHostOptions["role"];
  /** When documents are compared with their logs and with peers, and how long is waited for what. */
  readonly drift?: Partial<DriftTimes> | undefined;
  /** Begins to hand changes to the outside, once the replica is open. */
  readonly openSinks?:
    | ((replica: Replica, environment: Environment) => Promise<OpenSinks>)
    | undefined;
  /** Let go of what was opened for the replica, after it. */
  readonly release?: (() => Promise<void>) | undefined;
}

/**
 * Opens a replica for an application: recovers what a crash left behind, and only then returns.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` as the store does; then nothing is released.
 */
export async function openLiveReplica(parts: LiveReplicaParts): Promise<LiveReplica> {
  const { verifier, peers: targets, isOnline = true, follow = false, release, ...given } = parts;
  const { sources = [], directory, deviceKeyFile, ...rest } = given;
  const { adopt = follow, role = PeerRole.replica } = rest;
  const { environment, drift: times } = rest;
  let watching: DriftWatch | undefined;
  const onDamage: ReplicaOptions["onDamage"] = (document, error) => {
    rest.onDamage?.(document, error);
    watching?.suspect(document);
  };
  const own = { ...rest, verifier, engine: rest.engine ?? "heddle", onDamage };
  const replica = await Replica.open(own);
  // As documents are read: without what does not count in a space.
  const { store } = replica;
  const drift = (watching = new DriftWatch({ ...own, store, replica, times }));
  const meeting = { ...own, store, replica, follow, adopt, role, drift };
  const isAlone = targets === undefined && sources.length === 0;
  const places = { directory, deviceKeyFile };
  const wanted = { targets: targets ?? [], sources, places, isOnline };
  const peers = isAlone ? undefined : await meet(meeting, wanted);
  const sinks = await openSinksOf(parts, { replica, drift, peers });
  drift.start();
  return new LiveReplica({ replica, environment, release, peers, drift, sinks });
}

async function openSinksOf(
  { openSinks, environment }: LiveReplicaParts,
  { replica, drift, peers }: { replica: Replica; drift: DriftWatch; peers: LivePeers | undefined },
): Promise<OpenSinks | undefined> {
  try {
    return await openSinks?.(replica, environment);
  } catch (error) {
    await drift.stop();
    await peers?.stop();
    await replica.close();
    throw error;
  }
}

interface Wanted {
  readonly targets: readonly PeerTarget[];
  readonly sources: readonly PeerSource[];
  readonly places: Pick<PeerGround, "directory" | "deviceKeyFile">;
  readonly isOnline: boolean;
}

type Meeting = Omit<PeerHostOptions, "hasOutbox" | "onEvent">;

async function meet(
  meeting: Meeting,
  { targets, sources, places, isOnline }: Wanted,
): Promise<LivePeers> {
  const { environment, store, replica } = meeting;
  const events = new EventListeners<PeerEvents>();
  const host = await PeerHost.open({
    ...meeting,
    hasOutbox: true,
    onEvent: (event) => events.emit("sync", event),
  });
  const onChange = (peer: string, change: DialerChange): void => {
    events.emit("connection", { ...change, peer });
  };
  const set = new PeerSet({ host, environment, targets, onChange });
  const found: RunningPeerSource[] = [];
  const { members } = replica;
  const space = spaceGroundOf(replica);
  try {
    for (const source of sources) {
      found.push(await source.start({ ...places, host, environment, space, onChange }));
    }
  } catch (error) {
    host.stop();
    await Promise.all(found.map((source) => source.stop()));
    await meeting.drift?.stop();
    await meeting.replica.close();
    throw error;
  }
  const all = [set, ...found];
  members?.onChange(({ before, after }) => {
    const { own } = members;
    // Whoever refused this device may not any more.
    if (after.roleOf(own) !== before.roleOf(own)) for (const each of all) each.retryNow();
  });
  if (!isOnline) for (const each of all) each.setOnline(false);
  set.start();
  return new LivePeers({ host, set, found, events, reading: { store, environment, replica } });
}
