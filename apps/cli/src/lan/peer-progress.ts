import type { Clock } from "@heddle/core";
import type { LivePeers } from "@heddle/replica";
import type { PeerKey, SyncProgress } from "@heddle/sync";

/** How the exchange with a peer stands: how far it is, or that it is being found out, or done. */
export type Exchange = SyncProgress | "comparing" | "done";

interface Session {
  exchange: SyncProgress | "comparing";
  /** Since when there is nothing left to do, monotonic. */
  quietSinceMs: number | undefined;
}

/**
 * After so long with nothing to do an exchange is taken for done: with nothing to exchange nobody says
 * anything, and whoever takes much is given it in portions.
 */
const quietMs = 3_000;

/** How far the exchange with each peer is, by the name that it is shown with. */
export class PeerProgress {
  readonly #peers: Pick<LivePeers, "nameOf">;
  readonly #clock: Clock;
  readonly #sessions = new Map<PeerKey, Session>();

  constructor(peers: Pick<LivePeers, "nameOf" | "on">, clock: Clock) {
    this.#peers = peers;
    this.#clock = clock;
    peers.on("sync", (event) => {
      if (event.name === "session.live") this.#note(event.peer, "comparing");
      if (event.name === "session.closed") this.#sessions.delete(event.peer);
      if (event.name === "sync.progress") this.#note(event.peer, event.progress);
    });
  }

  /** Undefined without a session. */
  of(name: string): Exchange | undefined {
    let found: Exchange | undefined;
    for (const [peer, { exchange, quietSinceMs = Infinity }] of this.#sessions) {
      const own = this.#peers.nameOf(peer);
      // A session that is over has no name.
      if (own === undefined) this.#sessions.delete(peer);
      if (own !== name) continue;
      found = this.#clock.monotonicMs() - quietSinceMs > quietMs ? "done" : exchange;
    }
    return found;
  }

  #note(peer: PeerKey, exchange: Session["exchange"]): void {
    const before = this.#sessions.get(peer)?.quietSinceMs;
    const isQuiet = exchange === "comparing" || isDone(exchange);
    const quietSinceMs = isQuiet ? (before ?? this.#clock.monotonicMs()) : undefined;
    this.#sessions.set(peer, { exchange, quietSinceMs });
  }
}

function isDone(progress: SyncProgress): boolean {
  const { documentsDone, documentsTotal, envelopesToSend, envelopesToReceive } = progress;
  return documentsDone === documentsTotal && envelopesToSend + envelopesToReceive === 0;
}
