import { EnvelopeFlag } from "@heddle/core/base";
import type { EditContext } from "@heddle/document";

import type { UpdateSource } from "../pending-updates.ts";
import type { QueuedEdits } from "./edit-queue.ts";

/**
 * Under which source edits of a live document are submitted. An envelope is of one source, so what must
 * not share an envelope has sources of its own.
 */
export class EditSources {
  readonly #own: UpdateSource = { flags: 0, isTrusted: true };
  readonly #imported: UpdateSource = { flags: EnvelopeFlag.imported };
  readonly #ofContext = new WeakMap<EditContext, Map<boolean, UpdateSource>>();
  readonly #all = new WeakSet<UpdateSource>([this.#own, this.#imported]);

  of({ isImported, context }: Pick<QueuedEdits, "isImported" | "context">): UpdateSource {
    const plain = isImported ? this.#imported : this.#own;
    if (context === undefined) return plain;
    let sources = this.#ofContext.get(context);
    if (sources === undefined) this.#ofContext.set(context, (sources = new Map()));
    let source = sources.get(isImported);
    if (source === undefined) {
      const { reason, correlationId } = context;
      source = { ...plain, reason, correlationId };
      sources.set(isImported, source);
      this.#all.add(source);
    }
    return source;
  }

  includes(source: UpdateSource): boolean {
    return this.#all.has(source);
  }
}
