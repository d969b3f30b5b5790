import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import type { SyncProgress } from "./sync-effects.ts";

/** What a session does not know itself. */
export interface ProgressAround {
  /** This side never had all that the peer has. */
  readonly isFirst: boolean;
  /** Documents that the session has not been asked about yet. */
  readonly documentsWaiting: number;
}

/** How far the exchange with each peer is, said while it takes long, and when it is done. */
export class SyncProgressReports {
  readonly #context: SyncContext;
  readonly #saidMs = new Map<PeerSession, number>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  tick(session: PeerSession, around: ProgressAround): void {
    const { nowMs, limits } = this.#context;
    const said = this.#saidMs.get(session);
    const isDone = isDoneWith(session, around);
    if (isDone && said === undefined) return;
    if (!isDone && nowMs - (said ?? -Infinity) < limits.progressMs) return;
    if (isDone) this.#saidMs.delete(session);
    else this.#saidMs.set(session, nowMs);
    const progress = progressOf(session, around);
    this.#context.emit({
      type: "event",
      event: { name: "sync.progress", peer: session.key, progress },
    });
  }

  end(session: PeerSession): void {
    this.#saidMs.delete(session);
  }
}

function isDoneWith(session: PeerSession, { documentsWaiting }: ProgressAround): boolean {
  return session.isSettled && documentsWaiting === 0 && session.offering.documents === 0;
}

function progressOf(
  session: PeerSession,
  { isFirst, documentsWaiting }: ProgressAround,
): SyncProgress {
  const { closed, received } = session.documents.counts;
  let documentsSettled = 0;
  let toSend = 0;
  let toReceive = 0;
  for (const link of session.links.values()) {
    if (link.isSettled) documentsSettled++;
    toSend += link.positions.missingCount;
    toReceive += link.positions.missingHere;
  }
  const { sentDataBytes, receivedDataBytes } = session;
  const offeredByPeer = session.offering.documents;
  return {
    isFirst,
    documentsDone: closed + documentsSettled,
    documentsTotal: closed + session.links.size + documentsWaiting + offeredByPeer,
    documentsWanted: offeredByPeer,
    documentsReceived: received,
    envelopesToSend: toSend,
    envelopesToReceive: toReceive,
    bytesSent: sentDataBytes,
    bytesReceived: receivedDataBytes,
  };
}
