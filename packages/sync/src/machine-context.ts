import { assert, type DocumentId, type LaneId } from "@heddle/core";

import { CheckpointIntakes } from "./checkpoint-intakes.ts";
import type { DocumentLink } from "./document-link.ts";
import { PartsRoom } from "./frame-parts.ts";
import { OfferRules } from "./offer-rules.ts";
import { Outbox } from "./outbox.ts";
import { RefusedLanes } from "./refused-lanes.ts";
import { ReorderBuffer } from "./reorder-buffer.ts";
import type { ReplicationOptions, SyncContext } from "./sync-context.ts";
import type { SyncCounters } from "./sync-counters.ts";
import type {
  KeptOutbox,
  RequestId,
  RequestName,
  SyncEffect,
  SyncRequest,
  SyncRequests,
} from "./sync-effects.ts";
import { syncLimits, type SyncLimits } from "./sync-limits.ts";
import { VerifiedLanes } from "./verified-lanes.ts";

/** What only the whole machine knows. */
type OfMachine = Pick<SyncContext, "emit" | "isAwaited" | "linksOf">;

/** The state that the parts of one machine share: its time, what it asked for, what is to be done. */
export class MachineContext implements SyncContext {
  readonly options: ReplicationOptions;
  readonly counters: SyncCounters;
  readonly limits: SyncLimits;
  readonly reorderBuffer: ReorderBuffer<DocumentLink>;
  readonly parts: PartsRoom;
  readonly lanes: VerifiedLanes;
  readonly outbox: Outbox;
  readonly refusedLanes: RefusedLanes;
  readonly checkpoints: CheckpointIntakes;
  readonly rules: OfferRules;
  writtenLane: LaneId | undefined;
  readonly #machine: OfMachine;
  readonly #answers = new Map<RequestId, (answer: never) => void>();
  #effects: SyncEffect[] = [];
  #nextRequest = 1;
  #nowMs = 0;
  #lastArrival: number;

  constructor(
    options: ReplicationOptions,
    counters: SyncCounters,
    kept: KeptOutbox,
    machine: OfMachine,
  ) {
    this.options = options;
    this.counters = counters;
    this.limits = { ...syncLimits, ...options.limits };
    this.#lastArrival = options.lastArrival;
    this.#machine = machine;
    this.reorderBuffer = new ReorderBuffer(this.limits);
    this.parts = new PartsRoom(this.limits.partsBytesMax, () => counters.partsDropped++);
    this.lanes = new VerifiedLanes(this.limits.verifiedLanesMax);
    this.outbox = new Outbox(this, kept);
    this.refusedLanes = new RefusedLanes(this, kept.refusals);
    this.checkpoints = new CheckpointIntakes(this);
    this.rules = new OfferRules(options);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get lastArrival(): number {
    return this.#lastArrival;
  }

  /** Beside what is within the credit of sessions. */
  get heldBytes(): number {
    return this.reorderBuffer.heldBytes + this.checkpoints.heldBytes + this.parts.heldBytes;
  }

  /** A clock that went back counts as one that stands still. */
  advance(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  arrived(arrival: number): void {
    this.#lastArrival = Math.max(this.#lastArrival, arrival);
  }

  isAwaited(document: DocumentId): boolean {
    return this.#machine.isAwaited(document);
  }

  linksOf(document: DocumentId): readonly DocumentLink[] {
    return this.#machine.linksOf(document);
  }

  emit(effect: SyncEffect): void {
    this.#machine.emit(effect);
  }

  /** For the machine itself, behind {@link emit}. */
  push(effect: SyncEffect): void {
    this.#effects.push(effect);
  }

  takeEffects(): SyncEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  request<Name extends RequestName>(
    type: Name,
    ask: SyncRequests[Name]["ask"],
    then: (answer: SyncRequests[Name]["answer"]) => void,
  ): void {
    const id = this.#nextRequest++;
    this.#answers.set(id, then as (answer: never) => void);
    this.#effects.push({ type, id, ...ask } as unknown as SyncRequest);
  }

  answer<Name extends RequestName>(id: RequestId, answer: SyncRequests[Name]["answer"]): void {
    const then = this.#answers.get(id) as ((answer: unknown) => void) | undefined;
    assert(then !== undefined, "a request is answered once");
    this.#answers.delete(id);
    then(answer);
  }
}
