import { ClockRanges } from "./clock-ranges.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { ClientDeletes } from "./parsed-update.ts";

/** The deleted clocks of a document by client, merged. */
export class DeleteSet {
  readonly #clients = new Map<number, ClockRanges>();

  rangesOf(client: number): ClockRanges | undefined {
    return this.#clients.get(client);
  }

  add(deletes: ClientDeletes): void {
    const ranges = this.#clients.get(deletes.client);
    if (ranges === undefined) {
      this.#clients.set(deletes.client, new ClockRanges(deletes.ranges.slice()));
    } else ranges.addAll(deletes.ranges);
  }

  /** Takes out what is in `other` too. */
  subtract(other: DeleteSet): void {
    for (const [client, ranges] of this.#clients) {
      const known = other.rangesOf(client);
      if (known === undefined) continue;
      const left: number[] = [];
      const { pairs } = ranges;
      for (let index = 0; index < pairs.length; index += 2) {
        known.missingFrom(pairs[index]!, pairs[index + 1]!, left);
      }
      if (left.length === 0) this.#clients.delete(client);
      else this.#clients.set(client, new ClockRanges(left));
    }
  }

  /** Clients descending, as Yjs writes them. */
  entries(): ClientDeletes[] {
    const entries: ClientDeletes[] = [];
    for (const [client, ranges] of this.#clients) entries.push({ client, ranges: ranges.pairs });
    return entries.toSorted((a, b) => b.client - a.client);
  }
}

/** varUint(clients) • (client • varUint(ranges) • (clock • length)*)*, in the order given. */
export function writeDeletes(writer: ByteWriter, deletes: readonly ClientDeletes[]): void {
  writer.uint(deletes.length);
  for (const { client, ranges } of deletes) {
    writer.uint(client);
    writer.uint(ranges.length >> 1);
    for (let index = 0; index < ranges.length; index += 2) {
      writer.uint(ranges[index]!);
      writer.uint(ranges[index + 1]! - ranges[index]!);
    }
  }
}
