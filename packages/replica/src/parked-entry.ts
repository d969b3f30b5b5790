import type { ParkedUpdate } from "@heddle/core";

import { waitingPlaceBytes } from "./parking-bounds.ts";
import type { UpdateSource } from "./pending-updates.ts";

/** Where a parked update came from. A restart forgets it. */
export interface ParkedOrigin {
  /** Those who share its place; `undefined` for sources that are not told apart. */
  readonly party: string | undefined;
  readonly tag?: Uint8Array | undefined;
  /** Those who brought it, as far as they are still there. */
  readonly senders: ReadonlySet<WeakRef<UpdateSource>>;
}

/** One parked update, and whose it is. */
export class ParkedEntry {
  readonly record: ParkedUpdate;
  readonly party: string | undefined;
  readonly senders: ReadonlySet<WeakRef<UpdateSource>>;
  /** Whom what is freed of it is logged for: the same each time, so that it shares envelopes. */
  readonly source: UpdateSource;
  /** Places that it takes in the index, once it is in there. */
  places = 0;
  isTried = false;

  constructor(record: ParkedUpdate, { party, tag, senders }: ParkedOrigin) {
    this.record = record;
    this.party = party;
    this.senders = senders;
    this.source = { principal: record.principal, tag };
  }

  get weight(): number {
    return this.record.update.length + this.places * waitingPlaceBytes;
  }

  /** Deletes alone can be merged with others: they have no order, and lie side by side. */
  get hasOnlyDeletes(): boolean {
    return this.record.update[0] === 0;
  }
}
