import { fieldsIn, keyIn, numberIn, textIn, type SharedTypes } from "./shared-types.ts";

/** How a document holds a conversation. */
export interface ConversationShape {
  /** Array of `{ id, from, atMs, text }`. Default `messages`. */
  readonly messages?: string;
  /** Map of person → anything that is there: who takes part. Default `members`. */
  readonly members?: string;
  /** Map of person → id of the last message that they have read. Default `read`. */
  readonly read?: string;
}

export interface Message {
  readonly id: string;
  readonly from: string;
  readonly atMs: number;
  readonly text: string;
}

export interface Conversation {
  readonly messages: readonly Message[];
  /** Person → messages of others behind their read cursor. */
  readonly unread: ReadonlyMap<string, number>;
}

export function readConversation(
  content: SharedTypes,
  { messages = "messages", members = "members", read = "read" }: ConversationShape,
): Conversation {
  const found = content.getArray(messages).toJSON().flatMap(messageIn);
  const places = new Map(found.map(({ id }, index) => [id, index]));
  const cursors = content.getMap(read).toJSON();
  const unread = new Map<string, number>();
  for (const member of Object.keys(content.getMap(members).toJSON())) {
    const person = keyIn(member);
    if (person === undefined) continue;
    // A cursor at a message that is gone has read nothing: rather shown twice than never.
    const place = places.get(String(cursors[member])) ?? -1;
    unread.set(person, found.slice(place + 1).filter(({ from }) => from !== person).length);
  }
  return { messages: found, unread };
}

function messageIn(value: unknown): Message[] {
  const { id, from, atMs, text } = fieldsIn(value);
  const message = { id: textIn(id), from: textIn(from), atMs: numberIn(atMs) };
  if (message.id === undefined || message.from === undefined || message.atMs === undefined)
    return [];
  return [{ id: message.id, from: message.from, atMs: message.atMs, text: textIn(text) ?? "" }];
}
