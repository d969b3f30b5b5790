import { PartsCredit } from "./flow-credit.ts";
import { unexpectedFrame } from "./frame-errors.ts";
import { PartJoiner } from "./frame-parts.ts";
import { decodeFrame, type Frame, type FrameOf } from "./frame.ts";
import type { SyncContext } from "./sync-context.ts";
import { wireLimits } from "./wire-limits.ts";

/** A frame that came in parts; `release` is called when it is stored or dropped. */
export interface JoinedFrame {
  readonly frame: Frame;
  readonly release: () => void;
}

/** Frames of one session that come in parts, and the credit that they use up until they are done with. */
export class SessionParts {
  readonly #context: SyncContext;
  readonly #joiner: PartJoiner;
  readonly #credit: PartsCredit;
  readonly #mayTravel: (name: Frame["name"]) => boolean;
  #joinedBytes = 0;

  /** `mayTravel` says which frames may come in parts. */
  constructor(context: SyncContext, mayTravel: (name: Frame["name"]) => boolean) {
    this.#context = context;
    this.#joiner = new PartJoiner(context.parts);
    this.#credit = new PartsCredit(context.limits.creditBytes / 2);
    this.#mayTravel = mayTravel;
  }

  /** Of frames that were put together and are not done with. */
  get joinedBytes(): number {
    return this.#joinedBytes;
  }

  /**
   * The frame that `part` makes whole, if it does.
   *
   * @param bytes what the part cost; `release` gives that back.
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, `HEDDLE_FRAME_TOO_LARGE`, `HEDDLE_FRAME_UNEXPECTED` for a
   *   frame that does not come in parts, and what {@link decodeFrame} throws.
   */
  receive(part: FrameOf<"part">, bytes: number, release: () => void): JoinedFrame | undefined {
    const whole = this.#joiner.add(part);
    this.#credit.pin(bytes, release);
    if (whole === "waiting") return undefined;
    const releaseRest = this.#credit.take();
    if (whole === "dropped") {
      this.#context.counters.partsDropped++;
      releaseRest();
      return undefined;
    }
    const frame = decodeFrame(whole, wireLimits.joinedBytesMax);
    if (frame === undefined || frame.name === "part" || !this.#mayTravel(frame.name)) {
      throw unexpectedFrame("a frame in parts");
    }
    this.#joinedBytes += whole.length;
    const done = (): void => {
      this.#joinedBytes -= whole.length;
      releaseRest();
    };
    return { frame, release: done };
  }

  /** The session is over. */
  end(): void {
    this.#joiner.drop();
  }
}
