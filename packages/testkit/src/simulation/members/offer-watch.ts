import type { DocumentId } from "@heddle/core";
import { decodeFrame, type Frame } from "@heddle/sync";

import type { SimMessage } from "../sim-transport.ts";

/** Whether the sender lets the receiver have a document at this moment. */
export type IsLet = (from: string, to: string, document: DocumentId) => boolean;

/** What one end of a connection said. */
interface Said {
  /** Documents by the numbers that it gave them. */
  readonly opened: Map<number, DocumentId>;
  readonly named: Set<DocumentId>;
}

/**
 * Reads all that devices say to each other, and finds what names or speaks of a document that its sender
 * does not let its receiver have, at the moment of sending. Only documents that it is told of count.
 */
export class OfferWatch {
  /** What was said first to whom it must not be said. */
  broken: string | undefined;
  /** Documents that were opened with somebody who was refused them before. */
  allowedLater = 0;
  readonly #documents: ReadonlySet<DocumentId>;
  readonly #isLet: IsLet;
  /** By connection and sender. */
  readonly #said = new Map<string, Said>();
  readonly #refused = new Set<string>();

  constructor(documents: Iterable<DocumentId>, isLet: IsLet) {
    this.#documents = new Set(documents);
    this.#isLet = isLet;
  }

  sent({ connection, from, to, bytes }: SimMessage): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return;
    const mine = this.#saidBy(connection, from);
    const theirs = this.#saidBy(connection, to);
    if (frame.name === "open") mine.opened.set(frame.documentRef, frame.document);
    const repeated = repeatedIn(frame).filter((document) => !theirs.named.has(document));
    for (const document of [...saidIn(frame, mine), ...repeated]) {
      mine.named.add(document);
      if (!this.#documents.has(document)) continue;
      if (!this.#isLet(from, to, document)) {
        this.broken ??= `${from} says ${frame.name} of ${document} to ${to}, which is not to have it`;
      } else if (frame.name === "open" && this.#refused.delete(wayOf(from, to, document))) {
        this.allowedLater++;
      }
    }
  }

  /** A device was asked, and does not let another one have a document. */
  refused(from: string, to: string, document: DocumentId): void {
    this.#refused.add(wayOf(from, to, document));
  }

  #saidBy(connection: number, name: string): Said {
    const side = `${connection}/${name}`;
    const said = this.#said.get(side) ?? { opened: new Map(), named: new Set() };
    this.#said.set(side, said);
    return said;
  }
}

/** Documents that a frame names, or speaks of by a number. */
function saidIn(frame: Frame, { opened }: Said): DocumentId[] {
  const byNumber = "documentRef" in frame ? opened.get(frame.documentRef) : undefined;
  if (byNumber !== undefined) return [byNumber];
  if (frame.name !== "library") return [];
  return frame.nodes.flatMap((node) => {
    return node.kind === "leaf" ? node.entries.map(({ document }) => document) : [];
  });
}

/** Documents that it names because the other side did. */
function repeatedIn(frame: Frame): readonly DocumentId[] {
  if (frame.name === "refused") return [frame.document];
  return frame.name === "library" ? frame.wanted : [];
}

function wayOf(from: string, to: string, document: DocumentId): string {
  return `${from}>${to}/${document}`;
}
