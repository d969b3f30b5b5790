import type { LivePeers } from "@heddle/replica";
import type { PeerKey, SyncProgress } from "@heddle/sync";

/** How far the exchange with each peer is, by the name that it is shown with; what is done is not there. */
export class PeerProgress {
  readonly #peers: Pick<LivePeers, "nameOf">;
  readonly #underWay = new Map<PeerKey, SyncProgress>();

  constructor(peers: Pick<LivePeers, "nameOf" | "on">) {
    this.#peers = peers;
    peers.on("sync", (event) => {
      if (event.name !== "sync.progress") return;
      if (isDone(event.progress)) this.#underWay.delete(event.peer);
      else this.#underWay.set(event.peer, event.progress);
    });
  }

  of(name: string): SyncProgress | undefined {
    let found: SyncProgress | undefined;
    for (const [peer, progress] of this.#underWay) {
      const own = this.#peers.nameOf(peer);
      // A session that is over has no name.
      if (own === undefined) this.#underWay.delete(peer);
      else if (own === name) found = progress;
    }
    return found;
  }
}

function isDone(progress: SyncProgress): boolean {
  const { documentsDone, documentsTotal, envelopesToSend, envelopesToReceive } = progress;
  return documentsDone === documentsTotal && envelopesToSend + envelopesToReceive === 0;
}
