import { defineProjection, type Projection, type Row } from "../define-projection.ts";
import type { RowValue } from "../row-value.ts";
import { readConversation, type ConversationShape } from "./conversation.ts";
import {
  beginningOf,
  commonOf,
  sum,
  type BuiltInOptions,
  type SharedTypes,
} from "./shared-types.ts";

/**
 * How many messages each person has not read, over all conversations. Each document is one conversation.
 *
 *   rows: person → messages of others behind their read cursor
 */
export function unreadCounts(options: BuiltInOptions & ConversationShape): Projection<SharedTypes> {
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    ...sum,
    derive: (content) => [...readConversation(content, options).unread].filter(([, n]) => n > 0),
  });
}

/** A line of an inbox. */
export interface InboxEntry {
  /** Name of the document. */
  readonly conversation: string;
  /** Of the last message; 0 without any. */
  readonly lastAtMs: number;
  readonly lastFrom: string;
  readonly preview: string;
  readonly unread: number;
}

/** Conversations that an inbox shows: all values of one key have to fit into a row. */
export const inboxEntriesMax = 64;
const previewLengthMax = 120;

/**
 * The conversations of each person, those with the newest message first; the newest {@link inboxEntriesMax}.
 *
 *   rows: person → list of {@link InboxEntry}
 */
export function inbox(options: BuiltInOptions & ConversationShape): Projection<SharedTypes> {
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    derive(content, document): Row[] {
      const { messages, unread } = readConversation(content, options);
      const last = messages.at(-1);
      return [...unread].map(([person, count]) => {
        const entry: InboxEntry = {
          conversation: document.name,
          lastAtMs: last?.atMs ?? 0,
          lastFrom: beginningOf(last?.from ?? "", previewLengthMax),
          preview: beginningOf(last?.text ?? "", previewLengthMax),
          unread: count,
        };
        return [person, [{ ...entry }]];
      });
    },
    combine: (a, b) => {
      const entries = [...(a as RowValue[]), ...(b as RowValue[])] as unknown as InboxEntry[];
      // A name is that of one document, so that no two entries are equal and the order is one.
      const sorted = entries.toSorted((x, y) => {
        return y.lastAtMs - x.lastAtMs || (x.conversation < y.conversation ? -1 : 1);
      });
      return sorted.slice(0, inboxEntriesMax) as unknown as RowValue;
    },
  });
}
