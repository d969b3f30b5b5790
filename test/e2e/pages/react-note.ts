// A component that an application would write, on every hook of @heddle/react: for the page in Chromium, and for
// rendering on a server.
import {
  HeddleRoot,
  useArray,
  useAwareness,
  useContent,
  useDocument,
  useMap,
  useOutbox,
  useSaved,
  useStatus,
  useSynced,
  useText,
  useTrouble,
  useUndo,
  type OpenDocument,
  type Trouble,
} from "@heddle/react";
import { createElement as h, memo, useEffect, type ReactNode } from "react";

export interface NoteProps {
  readonly name: string;
  readonly person: string;
  readonly onOpened?: (note: OpenDocument) => void;
  readonly onRendered?: (note: OpenDocument | undefined) => void;
}

/** Rendered again only when it is given something else. */
const Remembered = memo(({ content }: { readonly content: string | undefined }) =>
  h("p", { id: "content" }, content),
);

/** What the hooks say, as a person would see it. */
function useFacts(note: OpenDocument | undefined) {
  const text = useText(note, "text");
  const map = useMap<number>(note, "map");
  const list = useArray<string>(note, "list");
  const { others, setField } = useAwareness(note);
  const { canUndo, undo, redo } = useUndo(note, "text");
  const ofList = useUndo(note, list);
  const facts = {
    name: note?.name ?? null,
    text: text?.toJSON() ?? null,
    count: map?.get("count") ?? null,
    list: list?.toArray() ?? null,
    others: [...others.values()].map((state) => state["person"]),
    status: useStatus(note),
    isSynced: useSynced(note),
    saved: useSaved(note),
    pending: useOutbox(note).pending,
    canUndo,
    canUndoList: ofList.canUndo,
    trouble: useTrouble(note)?.kind ?? null,
  };
  return { facts, text, map, list, content: useContent(text), setField, undo, redo, ofList };
}

const button = (id: string, onClick: () => void) => h("button", { id, onClick }, id);

export function Note({ name, person, onOpened, onRendered }: NoteProps): ReactNode {
  const note = useDocument(name);
  const { facts, text, map, list, content, setField, undo, redo, ofList } = useFacts(note);
  onRendered?.(note);
  useEffect(() => {
    if (note) onOpened?.(note);
    setField("person", person);
  }, [note, person, setField, onOpened]);
  return h(
    "div",
    null,
    button("type", () => text?.insert(text.length, "word ")),
    button("count", () => map?.set("count", (facts.count ?? 0) + 1)),
    button("list", () => list?.push(["item"])),
    button("undo", undo),
    button("redo", redo),
    button("undo-list", ofList.undo),
    h("pre", { id: "facts" }, JSON.stringify(facts)),
    h(Remembered, { content }),
  );
}

export interface AppProps extends NoteProps {
  readonly url: string;
  readonly onTrouble?: (trouble: Trouble) => void;
}

export function App({ url, onTrouble, ...note }: AppProps): ReactNode {
  return h(HeddleRoot, { url, ...(onTrouble && { onTrouble }) }, h(Note, note));
}
