import type { HeddleError } from "@heddle/core";

type Task = (failure?: HeddleError) => void;

/** Counts the edits of a live document from the keyboard to the disk, and tells who waits for that. */
export class SaveProgress {
  #captured = 0;
  #saved = 0;
  #waiting: { readonly upTo: number; readonly task: Task }[] = [];

  get unsaved(): number {
    return this.#captured - this.#saved;
  }

  captured(): void {
    this.#captured++;
  }

  /** The oldest `edits` that were not saved are on disk. */
  saved(edits: number): void {
    this.#saved += edits;
    const done = this.#waiting.filter(({ upTo }) => upTo <= this.#saved);
    this.#waiting = this.#waiting.filter(({ upTo }) => upTo > this.#saved);
    for (const { task } of done) task();
  }

  /** `edits` will never be saved. Everybody who waits is told, as they may wait for those. */
  lost(edits: number, error: HeddleError): void {
    this.#captured -= edits;
    this.fail(error);
  }

  /** Tells everybody who waits that it is in vain. */
  fail(error: HeddleError): void {
    for (const { task } of this.#waiting.splice(0)) task(error);
  }

  /** Runs `task` when every edit so far is on disk; at once if that is so. The returned function forgets it. */
  afterSaved(task: Task): () => void {
    if (this.unsaved === 0) task();
    else this.#waiting.push({ upTo: this.#captured, task });
    return () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting.task !== task);
    };
  }
}
