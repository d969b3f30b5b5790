import { assert } from "./assert.ts";
import type { DocumentId, LaneId, StoreId } from "./ids.ts";
import { limits } from "./limits.ts";
import type { LogBatch } from "./log-store.ts";
import type {
  KeptFork,
  PeerAck,
  PeerCursor,
  RefusedEnvelope,
  RefusedPlace,
} from "./peer-records.ts";

/** What a `MemoryDisk` holds about other stores. */
export class MemoryPeers {
  readonly #cursors = new Map<StoreId, PeerCursor>();
  readonly #acks = new Map<StoreId, Map<string, PeerAck>>();
  readonly #forks = new Map<string, KeptFork>();
  readonly #refused = new Map<string, RefusedEnvelope>();

  get cursors(): readonly PeerCursor[] {
    return sortedBy(this.#cursors.values(), ({ store }) => store).map(copyOfCursor);
  }

  /** @param laneIx the place of a lane in the order of opening. */
  acksOf(store: StoreId, laneIx: (lane: LaneId) => number): readonly PeerAck[] {
    const acks = [...(this.#acks.get(store)?.values() ?? [])];
    return acks.toSorted((a, b) => {
      return a.document < b.document
        ? -1
        : a.document > b.document
          ? 1
          : laneIx(a.lane) - laneIx(b.lane);
    });
  }

  get forkedDocuments(): readonly DocumentId[] {
    return [...new Set([...this.#forks.values()].map(({ document }) => document))];
  }

  forksOf(document: DocumentId): readonly KeptFork[] {
    const forks = [...this.#forks.values()].filter((fork) => fork.document === document);
    return sortedBy(forks, ({ lane, seq }) => `${lane.id} ${sortable(seq)}`).map(copyOfFork);
  }

  refusedOf(document: DocumentId | undefined): readonly RefusedEnvelope[] {
    const refused = [...this.#refused.values()];
    return sortedBy(
      refused.filter((one) => (document ?? one.document) === one.document),
      placeOf,
    );
  }

  /** Called before anything of the batch is written. */
  assertSound({ forks }: LogBatch): void {
    for (const { branchA, branchB } of forks ?? []) {
      const bytes = [...branchA, ...branchB].reduce((sum, { length }) => sum + length, 0);
      assert(bytes <= limits.forkBytesMax, "the branches of a fork are within their cap");
    }
  }

  write({ forgetPeers, cursors, acks, forks, accept, refused }: LogBatch): void {
    for (const store of forgetPeers ?? []) {
      this.#cursors.delete(store);
      this.#acks.delete(store);
    }
    for (const cursor of cursors ?? []) this.#cursors.set(cursor.store, copyOfCursor(cursor));
    for (const ack of acks ?? []) {
      const ofStore = this.#acks.get(ack.store) ?? new Map<string, PeerAck>();
      this.#acks.set(ack.store, ofStore.set(`${ack.document} ${ack.lane}`, { ...ack }));
    }
    for (const fork of forks ?? []) {
      this.#forks.set(`${fork.document} ${fork.lane.id} ${fork.seq}`, copyOfFork(fork));
    }
    for (const place of accept ?? []) this.#refused.delete(placeOf(place));
    for (const one of refused ?? []) this.#refused.set(placeOf(one), { ...one });
  }
}

function placeOf({ document, lane, seq, store }: RefusedPlace): string {
  return `${document} ${lane} ${sortable(seq)} ${store}`;
}

function sortable(seq: number): string {
  return seq.toString(16).padStart(16, "0");
}

function sortedBy<Item>(items: Iterable<Item>, name: (item: Item) => string): Item[] {
  return [...items].toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
}

/** Not `slice()`: of a Buffer that would be the same memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function copyOfCursor({ store, incarnation, arrival }: PeerCursor): PeerCursor {
  return { store, incarnation: copyOf(incarnation), arrival };
}

function copyOfFork(fork: KeptFork): KeptFork {
  const { lane, branchA, branchB } = fork;
  return {
    ...fork,
    lane: { ...lane, bytes: copyOf(lane.bytes) },
    branchA: branchA.map(copyOf),
    branchB: branchB.map(copyOf),
  };
}
