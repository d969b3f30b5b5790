import { equalBytes } from "@heddle/core/base";
import type * as Y from "yjs";

import { DeleteSet } from "./delete-set.ts";

/** What an application says about its transactions; travels in the envelope. */
export interface EditContext {
  /** UTF-8. */
  readonly reason?: Uint8Array | undefined;
  readonly correlationId?: Uint8Array | undefined;
}

/** Clocks `[from, to)` of one client. */
export interface EditRange {
  from: number;
  to: number;
}

/**
 * Transactions in a row that may go out in one envelope: by the same kind of author, with the same
 * context. What they made is kept as ranges of clocks; the structs are read from the live document when
 * it is sealed.
 */
export class EditSegment {
  /** Structs of other clients than the document's own are in it. */
  readonly isImported: boolean;
  readonly context: EditContext | undefined;
  readonly ranges = new Map<number, EditRange>();
  readonly deletes = new DeleteSet();
  /** Transactions. */
  edits = 0;
  /** A lower bound of what it takes when sealed, in bytes: text and deletes. */
  size = 0;

  constructor(isImported: boolean, context?: EditContext) {
    this.isImported = isImported;
    this.context = context;
  }

  takes(isImported: boolean, context: EditContext | undefined): boolean {
    return (
      this.isImported === isImported &&
      areSame(this.context?.reason, context?.reason) &&
      areSame(this.context?.correlationId, context?.correlationId)
    );
  }

  addRange(client: number, from: number, to: number): void {
    this.size += to - from;
    const range = this.ranges.get(client);
    if (range === undefined) this.ranges.set(client, { from, to });
    else range.to = to;
  }

  /** @param deletes as Yjs keeps them: sorted, and not touching. */
  addDeletes(deletes: Deletes): void {
    for (const [client, items] of deletes.clients) {
      const ranges = items.flatMap(({ clock, len }) => [clock, clock + len]);
      this.size += ranges.length * 2;
      if (ranges.length > 0) this.deletes.add({ client, ranges });
    }
  }
}

type Deletes = Pick<Y.Transaction["deleteSet"], "clients">;

function areSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalBytes(a, b));
}
