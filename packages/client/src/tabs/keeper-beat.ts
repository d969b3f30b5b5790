/** What is said on the channel where tabs ask whether the one that stores is awake. */
export interface BeatMessage {
  readonly heddle: 1;
  readonly kind: "ask" | "awake";
}

export function beatChannel(name: string, onBeat: (kind: BeatMessage["kind"]) => void) {
  const channel = new BroadcastChannel(`${name}/beat`);
  channel.onmessage = ({ data }: MessageEvent<Partial<BeatMessage> | null>) => {
    if (data?.heddle !== 1 || (data.kind !== "ask" && data.kind !== "awake")) return;
    onBeat(data.kind);
  };
  return {
    say: (kind: BeatMessage["kind"]): void => channel.postMessage({ heddle: 1, kind }),
    stop: (): void => {
      channel.onmessage = null;
      channel.close();
    },
  };
}

/**
 * The answer of the tab that has the store, from the moment on when it has the lock: opening may take a
 * while. It is given in the handler of the message, which browsers do not put off as they do timers.
 */
export class KeeperBeat {
  readonly #channel: ReturnType<typeof beatChannel>;

  constructor(name: string) {
    this.#channel = beatChannel(name, (kind) => {
      if (kind === "ask") this.#channel.say("awake");
    });
    // Whoever was about to take it need not.
    this.#channel.say("awake");
  }

  stop(): void {
    this.#channel.stop();
  }
}
