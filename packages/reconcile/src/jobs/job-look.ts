import type { JobOptions } from "./job-options.ts";
import type { JobProgress } from "./job-progress.ts";
import { isEverything } from "./job-scope.ts";
import { LeftPlaces } from "./left-places.ts";
import type { LiveGeneration } from "./live-generation.ts";
import {
  marksOf,
  movedPlaces,
  type BegunLook,
  type LookedAt,
  type LookMarks,
  type LookSides,
  type MovedPlaces,
} from "./look-memory.ts";

/** A daily look at everything is due in the run that comes a little less than a day later, too. */
const dueShare = 0.95;

/** So many places that moved are looked at one by one, however small the projection is. */
const fewPlaces = 64;

/** Which places one run looks at, and what the next one may build on. */
export class JobLook {
  /** By the monotonic clock. */
  readonly beganMs: number;
  /** What this run finds and does not make right goes here. */
  readonly left: LeftPlaces;
  readonly #sides: LookSides;
  readonly #projection: string;
  readonly #options: JobOptions;
  readonly #marks: LookMarks | undefined;
  #begun: BegunLook | undefined;

  /** To be made before anything is read: what moves from here on is for the next run. */
  constructor(sides: LookSides, projection: string, options: JobOptions, nowMs: number) {
    this.#sides = sides;
    this.#projection = projection;
    this.#options = options;
    this.left = options.memory?.leftOf(projection) ?? new LeftPlaces();
    this.#marks = options.memory === undefined ? undefined : marksOf(sides, this.left);
    this.beganMs = nowMs;
  }

  /** What is looked at; `undefined` for everything. */
  movedSince({ refusal, definition, generation }: LiveGeneration): MovedPlaces | undefined {
    const { isOnlyMoved, isThorough, scope, memory, wholeLookMs } = this.#options;
    if (!isOnlyMoved || isThorough || !isEverything(scope) || refusal !== undefined)
      return undefined;
    const last = memory?.lastOf(this.#projection);
    if (last?.definition !== definition || last.generation !== generation.number) return undefined;
    if (this.beganMs - last.whole.beganMs >= wholeLookMs * dueShare) return undefined;
    const moved = movedPlaces(this.#sides, this.left, generation, last);
    const count = (moved?.partitions.size ?? 0) + (moved?.documents.size ?? 0);
    return count > fewPlaces && count * 4 > last.whole.partitions ? undefined : moved;
  }

  /** A run begins; one that goes on where another process was is none that can be built on. */
  begins(progress: JobProgress, moved: MovedPlaces | undefined): void {
    const { memory, name: job, isDryRun, scope } = this.#options;
    if (memory === undefined || isDryRun || !isEverything(scope)) return;
    if (this.#marks === undefined) return;
    const { run, startedAtMs: atMs } = progress;
    const begun = { run, atMs, beganMs: this.beganMs, marks: this.#marks };
    if (moved !== undefined) this.#begun = begun;
    else if (progress.isAtTheBeginning) {
      memory.began(this.#projection, job, begun);
      this.#begun = begun;
    } else this.#begun = memory.begunOf(this.#projection, job, run);
  }

  /** It came to its end. */
  ended(
    { counts }: JobProgress,
    live: Pick<LiveGeneration, "definition" | "generation">,
    moved: MovedPlaces | undefined,
  ): void {
    if (this.#begun === undefined) return;
    const { run, atMs, beganMs, marks } = this.#begun;
    const { definition, generation } = live;
    this.#options.memory?.ended(this.#projection, {
      run,
      atMs,
      definition,
      generation: generation.number,
      marks,
      whole: moved?.since.whole ?? { run, atMs, beganMs, partitions: counts.partitions },
    });
  }

  /** The last look at everything of this process. */
  get whole(): LookedAt | undefined {
    return this.#options.memory?.lastOf(this.#projection)?.whole;
  }
}
