import type { HeddleErrorCode, LaneDescriptor, LaneId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { Frame, FrameOf } from "./frame.ts";
import type { PresenceTurns } from "./presence-turns.ts";
import type { PeerKey } from "./sync-effects.ts";

/** What a link needs of its session. */
export interface LinkSession {
  readonly key: PeerKey;
  readonly isLive: boolean;
  /** Its greeting. */
  readonly peer: FrameOf<"hello">;
  readonly isCreditOpen: boolean;
  /** Presence that waits to be sent, of all documents. */
  readonly waitingPresence: { bytes: number };
  /** Lanes that the peer says it has more of than we do, of all documents. */
  readonly claims: { count: number };
  /** Documents with presence to send. */
  readonly showing: PresenceTurns;
  send(frame: Frame): void;
  close(code: HeddleErrorCode): void;
  /** Number under which the peer knows `lane`; says LANE first when it does not yet. */
  refOfLane(lane: LaneDescriptor): number;
  /** Lane that the peer knows under this number, told by us. */
  laneOfRef(laneRef: number): LaneId | undefined;
  refOfPeerLane(lane: LaneId): number | undefined;
  /** A lane that the peer named. */
  peerLane(lane: LaneId): LaneDescriptor | undefined;
  /** There is something to push. */
  wantsToPush(link: DocumentLink): void;
}
