/** Something that can go on once the known clock of a client has reached `clock`. */
export interface Waiter {
  /** Whom it waits for, and how far. Both are the index's to write. */
  awaited: number;
  clock: number;
  /** Its place in the heap of that client; -1 while it waits for nobody. */
  place: number;
}

/**
 * Who waits for which clock of which client: one binary heap for each client, lowest clock first. What
 * is due is found without looking at what is not, and what gives up takes its entry along.
 */
export class WaitIndex<T extends Waiter> {
  readonly #heaps = new Map<number, T[]>();

  add(waiter: T, client: number, clock: number): void {
    waiter.awaited = client;
    waiter.clock = clock;
    let heap = this.#heaps.get(client);
    if (heap === undefined) this.#heaps.set(client, (heap = []));
    heap.push(waiter);
    rise(heap, heap.length - 1);
  }

  remove(waiter: T): void {
    const { place } = waiter;
    if (place < 0) return;
    const heap = this.#heaps.get(waiter.awaited)!;
    const last = heap.pop()!;
    if (last !== waiter) {
      heap[place] = last;
      last.place = place;
      rise(heap, place);
      sink(heap, last.place);
    }
    waiter.place = -1;
    if (heap.length === 0) this.#heaps.delete(waiter.awaited);
  }

  /** The waiter with the lowest clock, if that clock of `client` is reached. It stays in the index. */
  firstDue(client: number, clock: number): T | undefined {
    const first = this.#heaps.get(client)?.[0];
    return first !== undefined && first.clock <= clock ? first : undefined;
  }
}

function rise<T extends Waiter>(heap: T[], from: number): void {
  const waiter = heap[from]!;
  let place = from;
  while (place > 0) {
    const above = (place - 1) >> 1;
    if (heap[above]!.clock <= waiter.clock) break;
    put(heap, place, heap[above]!);
    place = above;
  }
  put(heap, place, waiter);
}

function sink<T extends Waiter>(heap: T[], from: number): void {
  const waiter = heap[from]!;
  let place = from;
  for (let below = place * 2 + 1; below < heap.length; below = place * 2 + 1) {
    if (below + 1 < heap.length && heap[below + 1]!.clock < heap[below]!.clock) below++;
    if (heap[below]!.clock >= waiter.clock) break;
    put(heap, place, heap[below]!);
    place = below;
  }
  put(heap, place, waiter);
}

function put<T extends Waiter>(heap: T[], place: number, waiter: T): void {
  heap[place] = waiter;
  waiter.place = place;
}
