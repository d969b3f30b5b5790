import { HeddleErrorCode, type DocumentEntry, type DocumentId } from "@heddle/core";

import { DocumentExchange } from "./document-exchange.ts";
import { DocumentLedger } from "./document-ledger.ts";
import { DocumentLink } from "./document-link.ts";
import type { OfferedDocument } from "./document-offers.ts";
import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import { UnreadDocuments } from "./unread-documents.ts";

interface OpenDocument {
  exchange?: DocumentExchange;
  isLoading: boolean;
  /** Who waits until it is loaded, and hears of it too when it cannot be. */
  readonly waiting: ((exchange: DocumentExchange | undefined) => void)[];
  readonly links: Map<PeerSession, DocumentLink>;
}

interface DocumentsListener {
  readonly onFailure: () => void;
  readonly onLeaving: (document: DocumentId) => void;
}

/**
 * Documents that sessions exchange:
 *
 *   unknown ──link, load──► loaded, with a link per session ──last session ends, idle──► forgotten
 */
export class OpenDocuments {
  readonly #context: SyncContext;
  readonly #onFailure: () => void;
  readonly #onLeaving: (document: DocumentId) => void;
  readonly #documents = new Map<DocumentId, OpenDocument>();
  readonly #unused = new Set<DocumentId>();
  readonly #unread: UnreadDocuments;

  /**
   * `onFailure` is called when nobody knows any more what is on disk, `onLeaving` before a document is
   * forgotten.
   */
  constructor(context: SyncContext, { onFailure, onLeaving }: DocumentsListener) {
    this.#context = context;
    this.#onFailure = onFailure;
    this.#onLeaving = onLeaving;
    this.#unread = new UnreadDocuments(context);
  }

  get count(): number {
    return this.#documents.size;
  }

  /** Nothing waits for the disk in any document. */
  get areIdle(): boolean {
    return [...this.#documents.values()].every((document) => document.exchange?.isIdle);
  }

  linksOf(document: DocumentId): readonly DocumentLink[] {
    return [...(this.#documents.get(document)?.links.values() ?? [])];
  }

  isOpenOn(session: PeerSession, document: DocumentId): boolean {
    return this.#documents.get(document)?.links.has(session) ?? false;
  }

  /** Digest L of what is on disk of a document that is in memory. */
  digestOf(document: DocumentId): Uint8Array | undefined {
    return this.#documents.get(document)?.exchange?.ledger.digest;
  }

  /** Calls `then` when the document is loaded; does nothing for one that is not open. */
  whenLoaded(document: DocumentId, then: (exchange: DocumentExchange) => void): void {
    const open = this.#documents.get(document);
    if (open?.exchange) then(open.exchange);
    // Where it cannot be loaded, whatever loads it next reads this from the disk.
    else open?.waiting.push((exchange) => exchange && then(exchange));
  }

  /**
   * The link of a session to a document, which is loaded and opened first where it has to be.
   * `failed` is called instead of `then` when there is none: it is not exchanged with that peer, the session
   * has too many, the document is new here and the peer that opens it may bring no more, or it cannot be read now. In the last case, and
   * where it was not the peer that opened it, it is tried again, and `then` is called once it can be.
   */
  link(
    session: PeerSession,
    entry: OfferedDocument,
    then: (link: DocumentLink) => void = () => {},
    failed: () => void = () => {},
    isOpenedByPeer = false,
  ): void {
    if (!this.#context.rules.lets(session, entry)) return failed();
    const document: OpenDocument = this.#documents.get(entry.id) ?? {
      isLoading: false,
      waiting: [],
      links: new Map(),
    };
    this.#documents.set(entry.id, document);
    const ready = (exchange: DocumentExchange | undefined) => {
      // Whatever comes of it: what has no link at the next tick is forgotten.
      this.#unused.add(entry.id);
      if (!session.isLive) return;
      if (exchange === undefined) {
        if (!isOpenedByPeer) this.#unread.add({ session, entry, made: then, failed });
        return failed();
      }
      if (isOpenedByPeer && this.#isOver(session, document, exchange)) return failed();
      const known = document.links.get(session);
      const link = known ?? this.#makeLink(session, exchange);
      if (link === undefined) return failed();
      document.links.set(session, link);
      this.#unread.done(session, entry.id);
      if (!known) link.open();
      then(link);
    };
    if (document.exchange) return ready(document.exchange);
    document.waiting.push(ready);
    if (!document.isLoading) this.#load(entry, document);
  }

  /** This side gives a document up on one session, and tells the peer. */
  close(link: DocumentLink): void {
    for (const [session, known] of this.#documents.get(link.document)?.links ?? []) {
      if (known !== link) continue;
      session.documents.close(link);
      const document = this.#documents.get(link.document)!;
      document.links.delete(session);
      document.exchange?.sources.review();
      this.#unused.add(link.document);
    }
  }

  tick(): void {
    for (const { exchange } of this.#documents.values()) {
      exchange?.gaps.tick();
      exchange?.sources.tick();
    }
    for (const { session, entry, made, failed } of this.#unread.takeDue()) {
      this.link(session, entry, made, failed);
    }
  }

  /** A session is over. */
  unlink(session: PeerSession): void {
    this.#unread.end(session);
    for (const [id, document] of this.#documents) {
      if (document.links.delete(session)) {
        document.exchange?.sources.review();
        this.#unused.add(id);
      }
    }
  }

  /** A document that no session exchanges is forgotten; it is loaded again for the next one. */
  forgetUnused(): void {
    for (const id of this.#unused) {
      const document = this.#documents.get(id);
      const isUsed = (document?.links.size ?? 0) > 0;
      if (document && !isUsed && document.exchange?.isIdle !== true) continue;
      this.#unused.delete(id);
      if (isUsed || !document) continue;
      this.#onLeaving(id);
      this.#documents.delete(id);
    }
  }

  /** What is on disk of a document is not known any more. */
  #lose(id: DocumentId): void {
    this.#context.counters.documentsUnreadable++;
    this.reload(id);
  }

  /** Whoever exchanges the document begins anew, with what is on disk then. */
  reload(id: DocumentId): void {
    const sessions = [...(this.#documents.get(id)?.links.keys() ?? [])];
    this.#documents.delete(id);
    for (const session of sessions) session.close(HeddleErrorCode.relayOverloaded);
  }

  /** Nobody here has it or wants it, and the peer may bring no more of such. */
  #isOver(session: PeerSession, document: OpenDocument, { ledger }: DocumentExchange): boolean {
    const { options, counters } = this.#context;
    if (document.links.size > 0 || ledger.durable.size > 0) return false;
    if (options.mayOpenNew?.(session.key) ?? true) return false;
    counters.documentsPutOff++;
    return true;
  }

  #makeLink(session: PeerSession, exchange: DocumentExchange): DocumentLink | undefined {
    const ref = session.documents.nextRef();
    if (ref === undefined) {
      this.#context.counters.framesRefused++;
      return undefined;
    }
    const link = new DocumentLink(this.#context, session, exchange, ref);
    session.documents.links.set(ref, link);
    return link;
  }

  #load(entry: OfferedDocument, document: OpenDocument): void {
    document.isLoading = true;
    const { options, limits } = this.#context;
    const name = "name" in entry ? entry.name : undefined;
    this.#context.request("load", { document: entry.id, name }, (loaded) => {
      const isNowhere = loaded === undefined && name === undefined;
      if (loaded === "unreadable" || isNowhere) {
        this.#context.counters.documentsUnreadable++;
        this.#documents.delete(entry.id);
        for (const ready of document.waiting.splice(0)) ready(undefined);
        return;
      }
      const asNew = { entry: entry as DocumentEntry, vector: new Map(), forks: [] };
      const found = loaded ?? asNew;
      const ledger = new DocumentLedger(options.hash, limits.recentIdsMax, found);
      document.exchange = new DocumentExchange(this.#context, ledger, {
        onFailure: this.#onFailure,
        onLost: () => this.#lose(entry.id),
      });
      for (const ready of document.waiting.splice(0)) ready(document.exchange);
    });
  }
}
