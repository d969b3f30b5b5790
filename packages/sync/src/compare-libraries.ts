import { equalBytes, type DocumentId } from "@heddle/core";

import { libraryShape, placeBelow, type LibraryNode } from "./library-node.ts";
import type { LibraryTrie } from "./library-trie.ts";

/** What comes of one place of a peer's library, compared with ours. */
export interface LibraryDifference {
  /** Places of ours that the peer is to be told of, to go on. */
  readonly say: string[];
  /** Documents here that the peer lacks or holds another log of. */
  readonly offer: DocumentId[];
  /** Places of ours of which the peer has nothing, or next to nothing. */
  readonly offerUnder: string[];
  /** Documents that the peer has and we do not, or hold another log of. */
  readonly want: DocumentId[];
}

/**
 * Compares what a peer says of one place with what is there here, and changes nothing. Whatever is said,
 * the places in `say` are deeper than it, or hold so few documents here that these end the matter; so
 * a comparison ends, and is never longer than the two libraries are deep.
 */
export function compareLibraries(ours: LibraryTrie, theirs: LibraryNode): LibraryDifference {
  return theirs.kind === "leaf" ? compareLeaf(ours, theirs) : compareBranch(ours, theirs);
}

function compareBranch(
  ours: LibraryTrie,
  { prefix, children }: Extract<LibraryNode, { readonly kind: "branch" }>,
): LibraryDifference {
  const difference = noDifference();
  const here = ours.isBranch(prefix) ? ours.nodeAt(prefix) : undefined;
  // Few are here: the peer, which has them all before it, finds out faster.
  if (here?.kind !== "branch") return { ...difference, say: [prefix] };
  for (let child = 0; child < libraryShape.fanOut; child++) {
    const [our, their] = [here.children[child], children[child]];
    const place = placeBelow(prefix, child);
    if (our && their && equalBytes(our, their)) continue;
    if (their) difference.say.push(place);
    else if (our) difference.offerUnder.push(place);
  }
  return difference;
}

function compareLeaf(
  ours: LibraryTrie,
  { prefix, entries }: Extract<LibraryNode, { readonly kind: "leaf" }>,
): LibraryDifference {
  const difference = noDifference();
  // Nothing is there: all that is here need not be named for that.
  if (entries.length === 0) return { ...difference, offerUnder: [prefix] };
  const here = ours.nodeAt(prefix);
  const theirs = new Map(entries.map(({ document, digest }) => [document, digest]));
  for (const [document, digest] of theirs) {
    const our = ours.digestOf(document);
    if (our === undefined || !equalBytes(our, digest)) difference.want.push(document);
  }
  if (here.kind === "branch") difference.offerUnder.push(prefix);
  else {
    for (const { document, digest } of here.entries) {
      const their = theirs.get(document);
      if (their === undefined || !equalBytes(their, digest)) difference.offer.push(document);
    }
  }
  return difference;
}

function noDifference(): LibraryDifference {
  return { say: [], offer: [], offerUnder: [], want: [] };
}
