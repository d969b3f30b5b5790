import type { Environment } from "@heddle/core";
import type { PeerKey } from "@heddle/sync";

import type { Replica } from "../replica.ts";
import type { MemberActs } from "../space/new-member-acts.ts";
import type { SpaceMembers } from "../space/space-members.ts";
import type { DialerChange, DialerState } from "./dialer-state.ts";
import type { PeerHost } from "./peer-host.ts";

/**
 * Finds peers by itself, and lets them in: what a list of addresses cannot say. It is started with the
 * replica and stopped with it.
 */
export interface PeerSource {
  /** For log lines and people. */
  readonly name: string;
  /** @throws HeddleError; then the replica is not opened. */
  start(ground: PeerGround): Promise<RunningPeerSource>;
}

/** Who is a member, and what this device does about it as an admin. */
export interface SpaceGround {
  readonly members: SpaceMembers;
  readonly acts: MemberActs;
}

/** That of a replica. */
export function spaceGroundOf({
  members,
  acts,
}: Pick<Replica, "members" | "acts">): SpaceGround | undefined {
  return members && acts && { members, acts };
}

/** What a source stands on: it connects what it finds to the host, and to nothing else. */
export interface PeerGround {
  readonly host: PeerHost;
  readonly environment: Environment;
  /** Where the replica keeps its store; undefined for one without a folder. */
  readonly directory: string | undefined;
  /** Of the key that signs for this device; undefined when somebody else holds that key. */
  readonly deviceKeyFile: string | undefined;
  /** Undefined in the open space. */
  readonly space?: SpaceGround | undefined;
  /** A step of the connection to a peer, by the name that it is shown with. */
  readonly onChange: (peer: string, change: DialerChange) => void;
}

/** A source that was started: whom it has found, and how it is told of the network. */
export interface RunningPeerSource {
  readonly states: ReadonlyMap<string, DialerState>;
  /** The peer of a session, by the name that it is shown with; undefined for one of somebody else. */
  nameOf(peer: PeerKey): string | undefined;
  /** Offline nobody is dialed. */
  setOnline(isOnline: boolean): void;
  /** Looks and dials at once. */
  retryNow(): void;
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
}
