import type { Random, Scheduler } from "@heddle/core";
import * as Y from "yjs";

import { AdmittingLog } from "./admission.fixture.ts";
import { DocumentBinding, type SealedEdits } from "./document-binding.ts";
import { parseStored } from "./parse-update.ts";
import { encodeStateVector } from "./state-vector.ts";
import { UpdateFold } from "./update-fold.ts";

/** Timers that a test fires. */
export class TestTimers implements Scheduler {
  readonly #timers: { readonly delayMs: number; readonly task: () => void }[] = [];

  get delays(): number[] {
    return this.#timers.map(({ delayMs }) => delayMs);
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { delayMs, task };
    this.#timers.push(timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  fire(): void {
    for (const { task } of this.#timers.splice(0)) task();
  }
}

export function countingRandom(first: number): Random {
  let next = first;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      new DataView(bytes.buffer).setUint32(0, next++);
      return bytes;
    },
  };
}

/** A live document over a log of its own, as a replica has it: what is sealed is on disk at once. */
export class BoundDocument {
  readonly binding: DocumentBinding;
  readonly timers = new TestTimers();
  readonly sealed: SealedEdits[] = [];
  readonly log = new AdmittingLog();
  captured = 0;
  rotations = 0;
  isListenedTo = true;
  #applied = 0;

  constructor(firstClient: number, ydoc = new Y.Doc()) {
    this.binding = new DocumentBinding(ydoc, {
      scheduler: this.timers,
      random: countingRandom(firstClient),
      onCaptured: () => this.captured++,
      onClientRotated: () => this.rotations++,
      isListenedTo: () => this.isListenedTo,
      onSealed: (edits) => {
        this.sealed.push(edits);
        for (const update of edits.updates) this.log.receive(update);
      },
    });
  }

  get ydoc(): Y.Doc {
    return this.binding.ydoc;
  }

  /** Everything that was sealed, in order. */
  get updates(): Uint8Array[] {
    return this.sealed.flatMap(({ updates }) => updates);
  }

  /** Attaches the document to its log. */
  attach(ahead: readonly Uint8Array[] = []): void {
    const fold = new UpdateFold();
    for (const update of this.log.admitted) fold.append(update);
    this.#applied = this.log.admitted.length;
    const { clocks } = this.log.knowledge;
    this.binding.attach({
      state: fold.encodeSince(),
      stateVector: encodeStateVector(clocks),
      ahead: ahead.map((update) => parseStored(update)),
    });
  }

  /** The log receives an update of somebody else, and shows what it admits. */
  receive(update: Uint8Array): void {
    this.log.receive(update);
    for (; this.#applied < this.log.admitted.length; this.#applied++) {
      const part = this.log.admitted[this.#applied]!;
      this.binding.apply(part.bytes, [part]);
    }
  }
}
