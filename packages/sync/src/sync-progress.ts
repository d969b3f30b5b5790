import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import type { SyncProgress } from "./sync-effects.ts";

/** How far the exchange with each peer is, said while it takes long, and when it is done. */
export class SyncProgressReports {
  readonly #context: SyncContext;
  readonly #saidMs = new Map<PeerSession, number>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  /** @param documentsWaiting documents that the session has not been asked about yet. */
  tick(session: PeerSession, documentsWaiting: number): void {
    if (!session.isLive) return;
    const { nowMs, limits } = this.#context;
    const said = this.#saidMs.get(session);
    const isDone = session.isSettled && documentsWaiting === 0;
    if (isDone && said === undefined) return;
    if (!isDone && nowMs - (said ?? -Infinity) < limits.progressMs) return;
    if (isDone) this.#saidMs.delete(session);
    else this.#saidMs.set(session, nowMs);
    const event = { name: "sync.progress", peer: session.key, progress: of(session) } as const;
    const documentsTotal = event.progress.documentsTotal + documentsWaiting;
    const progress = { ...event.progress, documentsTotal };
    this.#context.emit({ type: "event", event: { ...event, progress } });
  }

  end(session: PeerSession): void {
    this.#saidMs.delete(session);
  }
}

function of(session: PeerSession): SyncProgress {
  let documentsDone = 0;
  let toSend = 0;
  let toReceive = 0;
  for (const link of session.links.values()) {
    if (link.isSettled) documentsDone++;
    toSend += link.positions.missingCount;
    toReceive += link.positions.missingHere;
  }
  const { sentDataBytes, receivedDataBytes } = session;
  return {
    documentsDone,
    documentsTotal: session.links.size,
    envelopesToSend: toSend,
    envelopesToReceive: toReceive,
    bytesSent: sentDataBytes,
    bytesReceived: receivedDataBytes,
  };
}
