import {
  HeddleErrorCode,
  isHeddleError,
  isReleased,
  logDigest,
  parseDocumentId,
  toHex,
  type DocumentId,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type MoveLedger,
  type RecalledEnvelope,
  type StoredDocument,
  type StoreId,
  type VersionVector,
} from "@heddle/core";
import type {
  Absent,
  AcceptedDoubts,
  FeedDescription,
  FeedGroup,
  FeedPage,
  ListedDocument,
  SinkSource,
  SourceChanges,
  SourceDocument,
  SourceExtent,
  SourceLook,
  SourceReading,
  Undetermined,
  UndeterminedReason,
} from "@heddle/reconcile";
import { applyUpdate, Doc } from "yjs";

import type { DocumentAccess } from "../document-access.ts";
import { loadDocument } from "../load-document.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import { isUncounted } from "../space/member-recalls.ts";
import { walkLog } from "../walk-log.ts";
import { readLogChanges } from "./log-changes.ts";
import { RecentEntries } from "./recent-entries.ts";

/** Which log, and who drops parts of it. */
export interface LogSourceOptions {
  readonly store: LogStore;
  readonly environment: Environment;
  /** Of the replica that prunes this store, so that a log is not dropped while it is read. */
  readonly access?: DocumentAccess | undefined;
  /**
   * For jobs alone: this is a copy of the folder that the projection follows, taken so that people's own is not read. It
   * stands for the original for as long as nobody has written to it, and may lag behind it.
   */
  readonly isCopy?: boolean | undefined;
}

/** Documents whose names and positions are remembered. */
const rememberedMax = 4_096;

type Held = { readonly stored: StoredDocument; readonly recalls: readonly RecalledEnvelope[] };

/**
 * The log of a replica as projections read it: what is on the disk, from the newest checkpoint and the
 * log above it, proved on the way. Documents that people have open are neither used nor touched.
 *
 * Digest L says which envelopes there are; recalls keep some of them out of the document without changing
 * it. So with recalls in force the `log` of a document names them as well, and a job finds the rows of before: the feed
 * says nothing of a recall.
 */
export class LogSource implements SinkSource<Doc> {
  readonly storeId: StoreId;
  readonly #options: LogSourceOptions;
  readonly #names = new RecentEntries<DocumentId, SourceDocument>(rememberedMax);
  /** Where the chains of a document were proved to. */
  readonly #positions = new RecentEntries<DocumentId, VersionVector>(rememberedMax);
  /** Of all documents, while they cannot be listed with what their records say. */
  #ids: readonly DocumentId[] | undefined;
  #listing: { last: DocumentId; rest: AsyncIterator<StoredDocument> } | undefined;

  constructor(options: LogSourceOptions) {
    this.#options = options;
    this.storeId = options.store.storeId;
  }

  get moves(): MoveLedger | undefined {
    return this.#options.store.moves;
  }

  async describeFeed(): Promise<FeedDescription> {
    const { store, isCopy = false } = this.#options;
    const incarnations = await store.readIncarnations();
    const lastArrival = await store.readLastArrival();
    const lastRollback = incarnations.findLastIndex(({ rollback, firstArrival }) => {
      // Up to where it was copied its numbers are those of the original.
      const isAsCopied = isCopy && rollback === "copied" && lastArrival < firstArrival;
      return rollback !== undefined && !isAsCopied;
    });
    const good = incarnations.slice(Math.max(0, lastRollback));
    return { incarnations: good.map(({ nonce }) => toHex(nonce)), lastArrival, isCopy };
  }

  async readFeed(after: number, limit: number): Promise<FeedPage> {
    const groups: FeedGroup[] = [];
    for await (const chunk of this.#options.store.readArrivals(after)) {
      for (const { number, runs } of chunk) {
        const ids = new Set(runs.map(({ document }) => document));
        const documents = await Promise.all([...ids].map((id) => this.describe(id)));
        groups.push({ number, runs, documents: documents.filter((one) => one !== undefined) });
        if (groups.length >= limit) return { groups };
      }
    }
    return { groups };
  }

  async readDocuments(
    after: DocumentId | undefined,
    limit: number,
  ): Promise<readonly ListedDocument[]> {
    if (after === undefined) this.#ids = undefined;
    if (this.#ids === undefined) {
      try {
        return await this.#listed(after, limit);
      } catch (error) {
        this.#assertDamage(error);
        this.#listing = undefined;
        this.#ids = await this.#options.store.readDocumentIds();
      }
    }
    const ids = this.#ids.filter((id) => after === undefined || id > after).slice(0, limit);
    const page: ListedDocument[] = [];
    for (const id of ids) page.push((await this.describe(id)) ?? { id, name: undefined });
    return page;
  }

  async #listed(after: DocumentId | undefined, limit: number): Promise<readonly SourceDocument[]> {
    const rest = await this.#listFrom(after);
    const page: SourceDocument[] = [];
    while (page.length < limit) {
      const { done, value } = await rest.next();
      if (done === true) return page;
      if (after === undefined || value.id > after) page.push({ id: value.id, name: value.name });
    }
    this.#listing = { last: page.at(-1)!.id, rest };
    return page;
  }

  async describe(id: DocumentId): Promise<ListedDocument | undefined> {
    const known = this.#names.get(id);
    if (known || !isId(id)) return known;
    let stored: StoredDocument | undefined;
    try {
      stored = await this.#options.store.readDocument(id);
    } catch (error) {
      this.#assertDamage(error, id);
      return { id, name: undefined };
    }
    if (!stored) return undefined;
    const document = { id, name: stored.name };
    this.#names.set(id, document);
    return document;
  }

  look(id: DocumentId, accept: AcceptedDoubts = []): Promise<SourceLook> {
    return this.#reading(id, accept, async (held) => {
      return { outcome: "whole", log: this.#logOf(await this.#prove(held.stored), held) };
    });
  }

  read(id: DocumentId, accept: AcceptedDoubts = []): Promise<SourceReading<Doc>> {
    return this.#reading(id, accept, async (held): Promise<SourceReading<Doc>> => {
      const { store, environment } = this.#options;
      const { positions, fold } = await loadDocument(store, environment, held.stored);
      this.#positions.set(id, positions);
      const content = new Doc();
      try {
        applyUpdate(content, fold.encodeSince());
      } catch (error) {
        environment.logger.warn("projections.document_failed", {
          document: id,
          error: String(error),
        });
        return { outcome: "undetermined", reason: "degraded" };
      }
      return { outcome: "whole", log: this.#logOf(positions, held), content };
    });
  }

  readChanges(
    id: DocumentId,
    above: ReadonlyMap<LaneId, number>,
    accept: AcceptedDoubts = [],
  ): Promise<SourceChanges> {
    return this.#reading(id, accept, async (held): Promise<SourceChanges> => {
      const { store, environment } = this.#options;
      for (const [lane, floor] of await store.readFloors(id)) {
        if ((above.get(lane) ?? 0) < floor) return { outcome: "undetermined", reason: "pruned" };
      }
      const positions = await this.#prove(held.stored);
      const vector = new Map([...positions].map(([lane, { seq }]) => [lane, seq]));
      const document = { id, name: held.stored.name };
      const recalled = new Set(held.recalls.map((recall) => recall.id));
      const { hash } = environment;
      const changes = readLogChanges({ store, hash, document, above, upTo: vector, recalled });
      const uncounted = firstOf(held.recalls.filter(isUncounted));
      return { outcome: "whole", log: this.#logOf(positions, held), vector, uncounted, changes };
    });
  }

  readExtent(id: DocumentId, accept: AcceptedDoubts = []): Promise<SourceExtent> {
    return this.#reading(id, accept, async (held): Promise<SourceExtent> => {
      const positions = await this.#prove(held.stored);
      const vector = new Map([...positions].map(([lane, { seq }]) => [lane, seq]));
      return { outcome: "whole", vector, floors: await this.#options.store.readFloors(id) };
    });
  }

  /** With what a document is known by; not while its log is being dropped. */
  async #reading<Reading>(
    id: DocumentId,
    accept: AcceptedDoubts,
    read: (held: Held) => Promise<Reading>,
  ): Promise<Reading | Undetermined | Absent> {
    const work = async (): Promise<Reading | Undetermined | Absent> => {
      const { store } = this.#options;
      const stored = isId(id) ? await store.readDocument(id) : undefined;
      if (!stored) return { outcome: "absent" };
      const recalls = await recallsInForce(store, id);
      const reason = await this.#doubtAbout(id, accept);
      if (reason) return { outcome: "undetermined", reason };
      return read({ stored, recalls });
    };
    try {
      return await (this.#options.access?.reading(id, work) ?? work());
    } catch (error) {
      this.#assertDamage(error, id);
      return { outcome: "undetermined", reason: "damaged" };
    }
  }

  /** A store that fails fails for all; a record that is damaged is one document's trouble. */
  #assertDamage(error: unknown, document?: DocumentId): void {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
    const { logger } = this.#options.environment;
    logger.warn("projections.source_damaged", { document, error: error.message });
  }

  async #doubtAbout(
    id: DocumentId,
    accept: AcceptedDoubts,
  ): Promise<UndeterminedReason | undefined> {
    const { store } = this.#options;
    const isPending = !accept.includes("pending") && (await store.readParked(id)).length > 0;
    if (isPending) return "pending";
    if (accept.includes("quarantine")) return undefined;
    const refused = (await store.readQuarantine(id)).filter((update) => !isReleased(update));
    return refused.length > 0 ? "quarantine" : undefined;
  }

  /** How far the log of a document goes, each lane proved from where that was known last. */
  async #prove(stored: StoredDocument): Promise<VersionVector> {
    if (!stored.dirty) return stored.vector;
    const { store, environment } = this.#options;
    const known = this.#positions.get(stored.id);
    const positions = new Map<LaneId, LanePosition>(stored.vector);
    for (const [lane, position] of known ?? []) {
      if (position.seq > (positions.get(lane)?.seq ?? 0)) positions.set(lane, position);
    }
    try {
      const walk = { store, hash: environment.hash, document: stored, positions };
      for await (const _ of walkLog(walk));
    } catch (error) {
      this.#positions.delete(stored.id);
      // What was remembered may be of a log that lost its end since: then the kept vector decides.
      if (known === undefined) throw error;
      return this.#prove(stored);
    }
    this.#positions.set(stored.id, positions);
    return positions;
  }

  #logOf(positions: VersionVector, { recalls }: Held): string {
    const { hash } = this.#options.environment;
    const log = toHex(logDigest(hash, positions));
    if (recalls.length === 0) return log;
    const ids = recalls.map(({ id }) => id).toSorted();
    const named = hash.sha256(new TextEncoder().encode(ids.join(" ")));
    return `${log}-${toHex(named).slice(0, 16)}`;
  }

  /** Goes on with the last listing where it stood: the store can only be asked from the beginning. */
  async #listFrom(after: DocumentId | undefined): Promise<AsyncIterator<StoredDocument>> {
    const listing = this.#listing;
    this.#listing = undefined;
    if (listing && listing.last === after) return listing.rest;
    await listing?.rest.return?.();
    return this.#options.store.readDocuments()[Symbol.asyncIterator]();
  }
}

/** Lane → least seq. */
function firstOf(recalls: readonly RecalledEnvelope[]): ReadonlyMap<LaneId, number> {
  const first = new Map<LaneId, number>();
  for (const { lane, seq } of recalls) first.set(lane, Math.min(seq, first.get(lane) ?? seq));
  return first;
}

/** What damage made of a key of projections may be none: of that the log has never heard. */
function isId(id: DocumentId): boolean {
  return parseDocumentId(id) !== undefined;
}
