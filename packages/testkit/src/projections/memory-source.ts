import {
  documentIdOf,
  laneId,
  MoveLedger,
  newStoreId,
  openSpaceId,
  parseDocumentName,
  toHex,
  type DocumentId,
  type Hash,
  type LaneId,
  type Random,
  type StoreId,
} from "@heddle/core";
import type {
  FeedDescription,
  FeedGroup,
  FeedPage,
  FeedRun,
  SinkSource,
  SourceChange,
  SourceChanges,
  SourceDocument,
  SourceExtent,
  SourceLook,
  SourceReading,
  Undetermined,
  UndeterminedReason,
} from "@heddle/reconcile";

/** What a document of a {@link MemorySource} holds: names with numbers. */
export type LightContent = ReadonlyMap<string, number>;

/** What one change says: these names have these numbers from now on, or are gone. */
export type LightEdit = Readonly<Record<string, number | null>>;

interface LightDocument extends SourceDocument {
  readonly changes: SourceChange[];
  /** Lane → seq up to which changes are there no more. */
  readonly floors: Map<LaneId, number>;
  doubt: UndeterminedReason | undefined;
  /** Of so many changes; made when it is asked for, as most are asked for several times. */
  log?: { readonly of: number; readonly text: string };
  content?: { readonly of: number; readonly map: Map<string, number> };
}

/**
 * A `ProjectionSource` in memory with documents at their simplest, and with a feed that can be made to do
 * what a feed must not: leave a change out, say one twice, forget its beginning, begin a new history.
 */
export class MemorySource implements SinkSource<LightContent> {
  readonly storeId: StoreId;
  readonly moves = new MoveLedger();
  /** Readings of content, and of digests alone. */
  reads = 0;
  looks = 0;
  readonly #hash: Hash;
  readonly #random: Random;
  readonly #documents = new Map<DocumentId, LightDocument>();
  #groups: FeedGroup[] = [];
  #lastArrival = 0;
  #incarnation: string;
  #seqs = new Map<string, number>();

  constructor(hash: Hash, random: Random) {
    this.#hash = hash;
    this.#random = random;
    this.storeId = newStoreId(random);
    this.#incarnation = toHex(random.bytes(16));
  }

  /**
   * Changes a document, which is made by its first change.
   *
   * @param options.isFed whether the feed tells of it, as a whole feed always does.
   */
  edit(
    name: string,
    edit: LightEdit,
    options: { readonly wallMs?: number; readonly lane?: number; readonly isFed?: boolean } = {},
  ): SourceDocument {
    const { wallMs = 0, lane: laneNumber = 1, isFed = true } = options;
    const document = this.#documentOf(name);
    const lane = laneId(this.#hash.sha256(Uint8Array.of(laneNumber)).subarray(0, 16));
    const seq = (this.#seqs.get(`${document.id}/${lane}`) ?? 0) + 1;
    this.#seqs.set(`${document.id}/${lane}`, seq);
    document.changes.push({
      id: this.#hash.sha256(new TextEncoder().encode(`${document.id}/${lane}/${seq}`)),
      document: { id: document.id, name: document.name },
      lane,
      seq,
      hlc: { wallMs, counter: seq % 65_536 },
      update: new TextEncoder().encode(JSON.stringify(edit)),
    });
    this.moves.note(() => [document.id]);
    this.#lastArrival++;
    const runs = [{ document: document.id, lane, fromSeq: seq }];
    if (isFed) this.#tell(this.#lastArrival, document, runs);
    else this.#tell(this.#lastArrival);
    return { id: document.id, name: document.name };
  }

  /** Says of a document once more that it has changed. */
  repeat(name: string): void {
    this.#tell(++this.#lastArrival, this.#documentOf(name));
  }

  /** Nothing more can be concluded from a document until this is taken back. */
  setDoubt(name: string, doubt: UndeterminedReason | undefined): void {
    const document = this.#documentOf(name);
    document.doubt = doubt;
    this.moves.note(() => [document.id]);
  }

  /** A checkpoint takes the place of all that a document's log holds now. */
  prune(name: string): void {
    const { changes, floors } = this.#documentOf(name);
    for (const { lane, seq } of changes) floors.set(lane, seq);
  }

  /** Forgets what the feed told up to now. */
  dropFeed(): void {
    this.#groups = [];
  }

  /** The store was found to be an older state of itself: its numbers are given again. */
  rollBack(): void {
    this.moves.begin();
    this.#incarnation = toHex(this.#random.bytes(16));
    this.#lastArrival = Math.max(0, this.#lastArrival - 1);
    this.#groups = this.#groups.filter(({ number }) => number <= this.#lastArrival);
  }

  /** All documents with what they hold. */
  contents(): ReadonlyMap<SourceDocument, LightContent> {
    return new Map([...this.#documents.values()].map((one) => [one, contentOf(one)]));
  }

  async describeFeed(): Promise<FeedDescription> {
    return { incarnations: [this.#incarnation], lastArrival: this.#lastArrival };
  }

  async readFeed(after: number, limit: number): Promise<FeedPage> {
    return { groups: this.#groups.filter(({ number }) => number > after).slice(0, limit) };
  }

  async readDocuments(
    after: DocumentId | undefined,
    limit: number,
  ): Promise<readonly SourceDocument[]> {
    return [...this.#documents.values()]
      .filter(({ id }) => after === undefined || id > after)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit)
      .map(({ id, name }) => ({ id, name }));
  }

  async describe(id: DocumentId): Promise<SourceDocument | undefined> {
    const document = this.#documents.get(id);
    return document && { id, name: document.name };
  }

  async look(id: DocumentId, accept: readonly UndeterminedReason[] = []): Promise<SourceLook> {
    this.looks++;
    const document = this.#documents.get(id);
    if (!document) return { outcome: "absent" };
    return doubtOf(document, accept) ?? { outcome: "whole", log: this.#logOf(document) };
  }

  async read(
    id: DocumentId,
    accept: readonly UndeterminedReason[] = [],
  ): Promise<SourceReading<LightContent>> {
    this.reads++;
    const document = this.#documents.get(id);
    if (!document) return { outcome: "absent" };
    const doubt = doubtOf(document, accept);
    if (doubt) return doubt;
    return { outcome: "whole", log: this.#logOf(document), content: contentOf(document) };
  }

  async readChanges(
    id: DocumentId,
    above: ReadonlyMap<LaneId, number>,
    accept: readonly UndeterminedReason[] = [],
  ): Promise<SourceChanges> {
    this.reads++;
    const document = this.#documents.get(id);
    if (!document) return { outcome: "absent" };
    const doubt = doubtOf(document, accept);
    if (doubt) return doubt;
    const { floors } = document;
    const isPruned = [...floors].some(([lane, floor]) => (above.get(lane) ?? 0) < floor);
    if (isPruned) return { outcome: "undetermined", reason: "pruned" };
    const vector = vectorOf(document);
    const wanted = document.changes.filter(({ lane, seq }) => seq > (above.get(lane) ?? 0));
    const changes = (async function* () {
      yield wanted;
    })();
    return { outcome: "whole", log: this.#logOf(document), vector, changes };
  }

  async readExtent(
    id: DocumentId,
    accept: readonly UndeterminedReason[] = [],
  ): Promise<SourceExtent> {
    const document = this.#documents.get(id);
    if (!document) return { outcome: "absent" };
    const { floors } = document;
    const whole = { outcome: "whole", vector: vectorOf(document), floors } as const;
    return doubtOf(document, accept) ?? whole;
  }

  #tell(number: number, document?: SourceDocument, runs: readonly FeedRun[] = []): void {
    const documents = document ? [{ id: document.id, name: document.name }] : [];
    this.#groups.push({ number, documents, runs });
  }

  #documentOf(text: string): LightDocument {
    const name = parseDocumentName(text);
    const id = documentIdOf(this.#hash, openSpaceId(this.#hash), name);
    const known = this.#documents.get(id);
    if (known) return known;
    const document = { id, name, changes: [], floors: new Map(), doubt: undefined };
    this.#documents.set(id, document);
    return document;
  }

  #logOf(document: LightDocument): string {
    const { id, changes } = document;
    if (document.log?.of === changes.length) return document.log.text;
    const places = changes.map(({ lane, seq }) => `${lane}/${seq}`).toSorted();
    const text = `${id} ${places.length} ${places.join(" ")}`;
    const log = toHex(this.#hash.sha256(new TextEncoder().encode(text)));
    document.log = { of: changes.length, text: log };
    return log;
  }
}

/** What a change of a {@link MemorySource} says. */
export function lightEditOf({ update }: SourceChange): LightEdit {
  return JSON.parse(new TextDecoder().decode(update)) as LightEdit;
}

/** A map of its own for each reader. */
function contentOf(document: LightDocument): LightContent {
  const { changes, content = { of: 0, map: new Map<string, number>() } } = document;
  for (const change of changes.slice(content.of)) {
    for (const [name, number] of Object.entries(lightEditOf(change))) {
      if (number === null) content.map.delete(name);
      else content.map.set(name, number);
    }
  }
  document.content = { of: changes.length, map: content.map };
  return new Map(content.map);
}

function vectorOf({ changes }: LightDocument): Map<LaneId, number> {
  return new Map(changes.map(({ lane, seq }) => [lane, seq]));
}

function doubtOf(
  { doubt }: LightDocument,
  accept: readonly UndeterminedReason[],
): Undetermined | undefined {
  if (doubt === undefined || accept.includes(doubt)) return undefined;
  return { outcome: "undetermined", reason: doubt };
}
