import { defineProjection, type Projection } from "../define-projection.ts";
import type { RowValue } from "../row-value.ts";
import {
  beginningOf,
  commonOf,
  textIn,
  type BuiltInOptions,
  type SharedTypes,
} from "./shared-types.ts";

export interface SearchOptions extends BuiltInOptions {
  /** Name of the shared text that is searched. Default `text`. */
  readonly text?: string;
  /** Name of a map whose `title` is the title. Default `meta`. */
  readonly meta?: string;
}

/** What an index is fed with. */
export interface SearchDocument {
  readonly title: string;
  readonly text: string;
}

/** A text of other letters takes up to three bytes for each, and six where JSON escapes it. */
const textLengthMax = 10_000;
const titleLengthMax = 200;

/**
 * Documents as a full-text index takes them. The index itself is made from the rows, in the memory of whoever searches;
 * apps/examples shows one.
 *
 *   rows: name of the document → {@link SearchDocument}
 */
export function searchDocuments(options: SearchOptions): Projection<SharedTypes> {
  const { text = "text", meta = "meta" } = options;
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    derive(content, { name }) {
      const title = textIn(content.getMap(meta).toJSON()["title"]) ?? "";
      const body = textIn(content.getText(text).toString()) ?? "";
      if (title === "" && body === "") return [];
      const found = {
        title: beginningOf(title, titleLengthMax),
        text: beginningOf(body, textLengthMax),
      };
      return [[name, found]];
    },
    // A name is that of one document: there is nothing to combine, and should there be, order does not decide.
    combine: (a: RowValue, b: RowValue) => (JSON.stringify(a) >= JSON.stringify(b) ? a : b),
  });
}
