import { decodeLane, HeddleErrorCode, type LaneDescriptor, type LaneId } from "@heddle/core";

import type { Frame, FrameOf } from "./frame.ts";
import { LaneRefs } from "./ref-tables.ts";
import type { SyncContext } from "./sync-context.ts";

/** What the lanes of a session need of it. */
export interface LanesSession {
  send(frame: Frame): void;
  close(code: HeddleErrorCode): void;
}

/** Lanes that were named on one session, by either side. */
export class SessionLanes {
  readonly #context: SyncContext;
  readonly #session: LanesSession;
  readonly #refs: LaneRefs;

  constructor(context: SyncContext, session: LanesSession) {
    this.#context = context;
    this.#session = session;
    this.#refs = new LaneRefs(context.limits.lanesPerSessionMax);
  }

  /** Number under which the peer knows `lane`; says LANE first when it does not yet. */
  refOf(lane: LaneDescriptor): number {
    const ref = this.#refs.refOf(lane.id);
    if (ref === undefined) {
      this.#session.close(HeddleErrorCode.relayOverloaded);
      return 0;
    }
    const { laneRef, isNew } = ref;
    if (isNew) this.#session.send({ name: "lane", laneRef, descriptor: lane.bytes });
    return laneRef;
  }

  /** The lane that we gave this number. */
  ourLane(laneRef: number): LaneId | undefined {
    return this.#refs.laneOf(laneRef);
  }

  /** The lane that the peer gave this number. */
  peersLane(laneRef: number): LaneDescriptor | undefined {
    return this.#refs.peersLane(laneRef);
  }

  refOfPeers(lane: LaneId): number | undefined {
    return this.#refs.refOfPeers(lane);
  }

  /** The peer never heard this number of ours. */
  lost(laneRef: number): void {
    this.#refs.lost(laneRef);
  }

  /** A lane may be used at once; when it turns out to be nobody's, the session is over. */
  receive({ laneRef, descriptor }: FrameOf<"lane">, release: () => void): void {
    const said = decodeLane(this.#context.options.hash, descriptor.slice());
    const lane = this.#context.lanes.get(said.id) ?? said;
    this.#context.counters.refsForgotten += this.#refs.namePeers(laneRef, lane);
    if (lane !== said) return release();
    this.#context.request("verifyLane", { lane }, (isGood) => {
      release();
      if (isGood) this.#context.lanes.add(lane);
      else {
        this.#context.counters.signaturesBad++;
        this.#session.close(HeddleErrorCode.frameMalformed);
      }
    });
  }
}
