import type { EnvelopeId, LaneId } from "@heddle/core";

import type { DocumentLedger } from "./document-ledger.ts";

/**
 * What the runs of a peer follow when it leaves that out. It is filled in from the log here, and every
 * envelope names the one before in what is signed: where its author had another one there, the signature
 * does not fit. From then on the peer has to say it for that lane, until it has shown a good run.
 */
export class RunPlacing {
  readonly #ledger: DocumentLedger;
  readonly #distrusted = new Set<LaneId>();

  constructor(ledger: DocumentLedger) {
    this.#ledger = ledger;
  }

  /** Id that the envelope at `seq` is taken to name as the one before; `undefined`: the peer has to say. */
  idBefore(lane: LaneId, seq: number): EnvelopeId | undefined {
    return this.#distrusted.has(lane) ? undefined : this.#ledger.idBefore(lane, seq);
  }

  /** A run that was placed here did not verify. */
  failed(lane: LaneId): void {
    this.#distrusted.add(lane);
  }

  /** A run that said what it follows did verify. */
  verified(lane: LaneId): void {
    this.#distrusted.delete(lane);
  }
}
