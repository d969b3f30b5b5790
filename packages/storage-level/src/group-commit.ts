import { nextTurn } from "./next-turn.ts";

export interface GroupItem {
  readonly bytes: number;
}

/** Two groups of this size are what a fence can make a replica read again. */
const groupBytesMaxDefault = 8 * 1024 * 1024;

/**
 * One queue in front of one writer: while a group is on its way to the disk, whatever arrives forms
 * the next one. A lone caller pays one sync and no delay, many callers share one.
 *
 * An item is never split; a group that fails takes the waiting items with it, as they were meant to
 * stand on top of it.
 */
export class GroupCommit<Item extends GroupItem> {
  readonly #commit: (group: readonly Item[]) => Promise<number>;
  readonly #groupBytesMax: number;
  #waiting: Waiting<Item>[] = [];
  #running: Promise<void> | undefined;

  constructor(
    commit: (group: readonly Item[]) => Promise<number>,
    groupBytesMax = groupBytesMaxDefault,
  ) {
    this.#commit = commit;
    this.#groupBytesMax = groupBytesMax;
  }

  /** Resolves with what `commit` returned for the group that holds `item`. */
  add(item: Item): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits and nothing is being written. */
  async whenIdle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // Calls of the same turn share the first group: a microtask is not a delay.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const number = await this.#commit(group.map(({ item }) => item));
        for (const { resolve } of group) resolve(number);
      } catch (error) {
        for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error);
      }
      // Those who were just answered and write again at once join the ones that wait; otherwise the
      // two crowds would take turns for ever, with twice as many syncs.
      if (this.#waiting.length > 0) await nextTurn();
    }
    this.#running = undefined;
  }

  #takeGroup(): Waiting<Item>[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ item }, index) => {
      bytes += item.bytes;
      return index > 0 && bytes > this.#groupBytesMax;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }
}

interface Waiting<Item> {
  readonly item: Item;
  readonly resolve: (number: number) => void;
  readonly reject: (error: unknown) => void;
}
