/** What one key has waiting and what it has been given. */
interface Share<Item> {
  readonly waiting: Item[];
  /** Virtual time at which its next item starts: what it was charged, counted from when it came. */
  startsAt: number;
  /** What it holds at present, waiting or taken. */
  held: number;
}

/** Charged when an item is taken, until it is known what it cost: who has one under way waits for others. */
const advance = 100;
/** Keys that have nothing here and still owe time; beyond it the oldest debt is forgotten. */
const debtorsMax = 10_000;

/**
 * Start-time fair queueing: of the keys that have something waiting, the one that has been served least
 * is next; one that was away neither saves up nor owes for ever. Within a key, first come, first served.
 */
export class FairShares<Item> {
  readonly #shares = new Map<unknown, Share<Item>>();
  #now = 0;

  heldBy(key: unknown): number {
    return this.#shares.get(key)?.held ?? 0;
  }

  add(key: unknown, item: Item, held: number): void {
    let share = this.#shares.get(key);
    if (share === undefined) {
      this.#forgetDebtors();
      this.#shares.set(key, (share = { waiting: [], startsAt: this.#now, held: 0 }));
    }
    if (share.waiting.length === 0) share.startsAt = Math.max(share.startsAt, this.#now);
    share.waiting.push(item);
    share.held += held;
  }

  /** Takes the first item that `mayBe`, of the key whose turn it is. */
  take(mayBe: (item: Item) => boolean): Item | undefined {
    let best: { share: Share<Item>; index: number } | undefined;
    for (const share of this.#shares.values()) {
      if (best !== undefined && share.startsAt >= best.share.startsAt) continue;
      const index = share.waiting.findIndex(mayBe);
      if (index >= 0) best = { share, index };
    }
    if (best === undefined) return undefined;
    this.#now = Math.max(this.#now, best.share.startsAt);
    best.share.startsAt += advance;
    return best.share.waiting.splice(best.index, 1)[0];
  }

  /** What was taken for `key` has cost so much, in milliseconds. */
  charge(key: unknown, cost: number): void {
    const share = this.#shares.get(key);
    if (share !== undefined) share.startsAt += cost - advance;
  }

  /** `key` holds so much less. */
  release(key: unknown, held: number): void {
    const share = this.#shares.get(key);
    if (share !== undefined) share.held -= held;
  }

  /** Takes out of all that waits what `isGone`. */
  remove(isGone: (item: Item) => boolean): Item[] {
    const gone: Item[] = [];
    for (const { waiting } of this.#shares.values()) {
      const left = waiting.filter((item) => !isGone(item));
      if (left.length === waiting.length) continue;
      gone.push(...waiting.filter(isGone));
      waiting.splice(0, waiting.length, ...left);
    }
    return gone;
  }

  #forgetDebtors(): void {
    for (const [key, share] of this.#shares) {
      const isAbsent = share.waiting.length === 0 && share.held <= 0;
      if (isAbsent && (share.startsAt <= this.#now || this.#shares.size >= debtorsMax)) {
        this.#shares.delete(key);
      }
    }
  }
}
