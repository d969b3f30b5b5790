import type { DocumentId, DocumentName } from "@heddle/core";
import type { DialerStateName, LiveReplica } from "@heddle/replica";

import type { Durability } from "../platform/platform.ts";

/** What waits to be sent of one document. */
export interface Waiting {
  readonly count: number;
  readonly bytes: number;
  /** Wall clock; `undefined` when nothing waits. */
  readonly oldestMs: number | undefined;
}

export const nothingWaits: Waiting = { count: 0, bytes: 0, oldestMs: undefined };

export function waitingTogether(several: Iterable<Waiting>): Waiting {
  let { count, bytes } = nothingWaits;
  let oldest = Infinity;
  for (const each of several) {
    count += each.count;
    bytes += each.bytes;
    oldest = Math.min(oldest, each.oldestMs ?? Infinity);
  }
  return { count, bytes, oldestMs: oldest === Infinity ? undefined : oldest };
}

/** Where the documents of this page live, and what is known of them: at the one that stores, or beside it. */
export interface EngineSide {
  readonly replica: LiveReplica;
  /** Another tab stores: whoever exchanges nothing with it is not stored either. */
  readonly isBeside: boolean;
  /** Where the connection to the relay stands; `code` where it was refused. */
  readonly relay: { readonly name: DialerStateName; readonly code?: number | undefined };
  /** What a commit of this document survives; `undefined` while it is not on the device's disk. */
  durabilityOf(document: DocumentId): Durability | undefined;
  /** What no relay has. */
  waitingOf(document: DocumentId): Waiting;
  /** Of all documents of the store, open or not: what no relay has. */
  readonly waiting: Waiting;
  /** The first exchange with the relay is done, in this connection. */
  isSettled(document: DocumentId): boolean;
  /** Resolves when the replica has what is stored of that document, as far as it is not there itself. */
  prepare(name: DocumentName): Promise<void>;
  /** The page was asleep: whatever it holds may be another's by now. */
  resumed(): void;
  /** Whether somebody in this page wants a connection. */
  setOnline(isOnline: boolean): void;
  /** Somebody asks for a connection now: what waits for its time, or was refused, is dialed. */
  retry(): void;
  /** A document of this page takes no part any more: the others go on in another session. */
  hangUp(): void;
  close(): Promise<void>;
}
