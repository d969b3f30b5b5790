import { definitionDigest, type Projection } from "./define-projection.ts";
import {
  FeedFollower,
  type FollowLimits,
  type FollowStep,
  type InvalidDocument,
} from "./feed-follower.ts";
import { FollowerCounters } from "./follower-counters.ts";
import {
  openGeneration,
  readGenerations,
  removeDropped,
  switchLive,
  type NumberedGeneration,
} from "./generations.ts";
import type { ProjectionTarget } from "./project-document.ts";
import type { ProjectionSource } from "./projection-source.ts";
import type { ProjectionStore } from "./projection-store.ts";
import type { Clock, DocumentId, Hash } from "@heddle/core";

export interface RunnerParts<Content = unknown> {
  readonly store: ProjectionStore;
  readonly source: ProjectionSource<Content>;
  readonly projection: Projection<Content>;
  readonly hash: Hash;
  readonly clock: Clock;
  readonly limits?: FollowLimits | undefined;
  /** Is told each time that the definition fails on a document. */
  readonly onInvalid?: ((failure: InvalidDocument) => void) | undefined;
}

/** What one turn of a runner came to. */
export type RunnerTurn = "idle" | "busy";

interface Followed<Content> {
  readonly generation: NumberedGeneration;
  readonly follower: FeedFollower<Content>;
}

/**
 * Keeps one projection: its live generation up with the feed, and a new one beside it while the definition
 * has changed or somebody asked for a rebuild. The new one is switched to once it has nothing left to read.
 *
 *   opening ──► following live ◄──────────────── switched ──► dropping the old one
 *                  └── rebuild ──► following both ──┘ the new one is idle
 */
export class ProjectionRunner<Content = unknown> {
  readonly counters = new FollowerCounters();
  readonly definition: string;
  readonly #parts: RunnerParts<Content>;
  #live: Followed<Content> | undefined;
  #building: Followed<Content> | undefined;
  #isOpen = false;
  #hasDropped = true;
  #rebuildAsked = false;
  #stalledAfter: DocumentId | undefined;

  constructor(parts: RunnerParts<Content>) {
    this.#parts = parts;
    this.definition = definitionDigest(parts.hash, parts.projection);
  }

  get name(): string {
    return this.#parts.projection.name;
  }

  /** The generation that is read, as of the last turn. */
  get live(): ProjectionTarget<Content> | undefined {
    return this.#live && this.#targetOf(this.#live.generation);
  }

  get isBuilding(): boolean {
    return this.#building !== undefined;
  }

  /** Builds it anew beside the one that is read, beginning with the next turn. */
  rebuild(): void {
    this.#rebuildAsked = true;
  }

  /**
   * One bounded piece of work.
   *
   * @returns `idle` when there is nothing to do until something arrives.
   * @throws HeddleError `HEDDLE_STORAGE_*`; the next turn begins afresh.
   */
  async turn(): Promise<RunnerTurn> {
    try {
      return await this.#turn();
    } catch (error) {
      this.#isOpen = false;
      throw error;
    }
  }

  /** Looks again at some documents that could not be taken in; all of them in turn, call by call. */
  async retryStalled(): Promise<void> {
    const { last } = (await this.#live?.follower.retryStalled(this.#stalledAfter)) ?? {};
    this.#stalledAfter = last;
  }

  async #turn(): Promise<RunnerTurn> {
    if (!this.#isOpen || this.#rebuildAsked) await this.#open();
    const steps: FollowStep[] = [];
    if (this.#live) steps.push(await this.#live.follower.step());
    if (this.#building) {
      const step = await this.#building.follower.step();
      if (step.name !== "idle") steps.push(step);
      else {
        await this.#switch(this.#building.generation);
        return "busy";
      }
    }
    if (steps.some(({ name }) => name === "dropped")) this.#isOpen = false;
    if (steps.some(({ name }) => name !== "idle")) return "busy";
    if (this.#hasDropped) {
      this.#hasDropped = await removeDropped(this.#parts.store, this.name);
      return "busy";
    }
    return "idle";
  }

  async #open(): Promise<void> {
    const { store, projection, clock } = this.#parts;
    const { definition } = this;
    const isRebuild = this.#rebuildAsked;
    const wanted = await openGeneration(store, { projection, definition, clock }, isRebuild);
    const { live } = await readGenerations(store, projection.name);
    // A live one of another definition is left as it is: its functions are gone.
    const isOurs = live?.definition === definition;
    this.#live = isOurs ? this.#follow(live, this.#live) : undefined;
    const isLive = live?.id.number === wanted.id.number;
    this.#building = isLive ? undefined : this.#follow(wanted, this.#building);
    this.#isOpen = true;
    this.#hasDropped = true;
    // One that was asked for while this was read comes with the next turn.
    if (isRebuild) this.#rebuildAsked = false;
  }

  async #switch(generation: NumberedGeneration): Promise<void> {
    const { store } = this.#parts;
    await switchLive(store, generation);
    // Whether or not it was ours that was written: what is there now says.
    this.#isOpen = false;
  }

  #follow(generation: NumberedGeneration, known?: Followed<Content>): Followed<Content> {
    if (known?.generation.id.number === generation.id.number) return known;
    const { store, limits, onInvalid } = this.#parts;
    const { counters } = this;
    const target = this.#targetOf(generation);
    return {
      generation,
      follower: new FeedFollower(store, target, { limits, counters, onInvalid }),
    };
  }

  #targetOf({ id }: NumberedGeneration): ProjectionTarget<Content> {
    const { projection, source, hash, clock } = this.#parts;
    const { definition } = this;
    return { projection, definition, generation: id, source, hash, clock };
  }
}
