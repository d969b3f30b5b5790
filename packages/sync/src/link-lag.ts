import type { DocumentLink } from "./document-link.ts";
import type { SyncContext } from "./sync-context.ts";

/** How the log of a document here stands to the one of a peer, by what it said last. */
export interface PeerStanding {
  /** `behind`: it has something that is not here. */
  readonly logs: "equal" | "behind" | "ahead" | "apart";
  /** It showed later envelopes of a lane, and nobody brings the earlier ones. */
  readonly hasGap: boolean;
}

/** Tells when one side of a link lacks something for long and nothing comes of it, once until it has it. */
export class LinkLag {
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  #sinceMs: number | undefined;
  #isTold = false;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
  }

  /** Something came of it. */
  progressed(): void {
    this.#sinceMs = undefined;
  }

  tick(isSettled: boolean): void {
    if (isSettled) {
      this.#isTold = false;
      return this.progressed();
    }
    const { nowMs, limits } = this.#context;
    this.#sinceMs ??= nowMs;
    if (this.#isTold || nowMs - this.#sinceMs < limits.laggingMs) return;
    if ((this.standing?.logs ?? "equal") === "equal") return;
    this.#isTold = true;
    const { document, session } = this.#link;
    const event = { name: "document.lagging", document, store: session.peer.store } as const;
    this.#context.emit({ type: "event", event });
  }

  /** `undefined` before the peer has said anything. */
  get standing(): PeerStanding | undefined {
    const { positions, exchange } = this.#link;
    if (!positions.isHeard) return undefined;
    const { here, there } = positions.lag;
    const logs = here && there ? "apart" : here ? "behind" : there ? "ahead" : "equal";
    return { logs, hasGap: exchange.gaps.isBehindGap(this.#link) };
  }
}
