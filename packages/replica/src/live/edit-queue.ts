import { isHeddleError, type HeddleError } from "@heddle/core/base";
import {
  parseStored,
  type EditContext,
  type ParsedUpdate,
  type SealedEdits,
} from "@heddle/document/live";

/** One update on its way to the disk. */
export interface QueuedEdits {
  /** `undefined` where the log had all of it: then there are only edits to count. */
  readonly update: ParsedUpdate | undefined;
  /** Yjs V1: of {@link update}, and of what cannot be one. */
  readonly bytes: Uint8Array | undefined;
  readonly context: EditContext | undefined;
  /** Transactions that are saved when it is, and all before it. */
  readonly edits: number;
  /** It cannot even be written down, or nobody could read it. */
  readonly failure: HeddleError | undefined;
  isImported: boolean;
  stage: "waiting" | "submitted" | "saved";
}

/** What a live document has sealed and the disk has not confirmed, in the order of its making. */
export class EditQueue {
  #entries: QueuedEdits[] = [];
  /** No entry before it waits: a store that was away for an hour leaves very many. */
  #next = 0;

  get updates(): ParsedUpdate[] {
    return this.#entries.flatMap(({ update }) => update ?? []);
  }

  push({ updates, isImported, context, edits, failure }: SealedEdits): void {
    const entry = { isImported, context, edits: 0, failure, stage: "waiting" } as const;
    for (const bytes of updates.slice(0, -1)) this.#entries.push({ ...entry, ...parsed(bytes) });
    const last = updates.at(-1);
    const update = last ? parsed(last) : { update: undefined, bytes: undefined };
    this.#entries.push({ ...entry, ...update, edits });
  }

  /** The first that waits for being submitted. */
  next(): QueuedEdits | undefined {
    while (this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next]!;
      if (entry.stage === "waiting") return entry;
      this.#next++;
    }
    return undefined;
  }

  /** It was submitted in vain, and nothing behind it was. */
  putBack(entry: QueuedEdits): void {
    entry.stage = "waiting";
    this.#next = 0;
  }

  /** Lets go of what is saved, and of nothing behind what is not. Returns how many edits that were. */
  takeSaved(): number {
    const end = this.#entries.findIndex(({ stage }) => stage !== "saved");
    const saved = this.#entries.splice(0, end < 0 ? this.#entries.length : end);
    this.#next = Math.max(0, this.#next - saved.length);
    return saved.reduce((sum, { edits }) => sum + edits, 0);
  }

  /** Nobody knows what became of those that were submitted: all are submitted again. */
  restart(): void {
    for (const entry of this.#entries) entry.stage = "waiting";
    this.#next = 0;
  }

  /** They were made for a lane that is over: in another one they are foreign. */
  disown(): void {
    for (const entry of this.#entries) entry.isImported = true;
  }

  /** Takes out what `isLost` says, in order. */
  drop(isLost: (entry: QueuedEdits) => boolean): QueuedEdits[] {
    const lost: QueuedEdits[] = [];
    this.#next = 0;
    this.#entries = this.#entries.filter((entry) => {
      if (!isLost(entry)) return true;
      lost.push(entry);
      return false;
    });
    return lost;
  }
}

/** Yjs takes what no log will: values that are nested deeper than anybody has to read. */
function parsed(
  bytes: Uint8Array,
): Pick<QueuedEdits, "update" | "bytes"> & { readonly failure?: HeddleError } {
  try {
    return { bytes, update: parseStored(bytes) };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    return { bytes, update: undefined, failure: error };
  }
}
