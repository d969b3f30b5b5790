// A component that an application would write, in StrictMode, on the hooks of @heddle/react.
import {
  HeddleRoot,
  useArray,
  useAwareness,
  useDocument,
  useMap,
  useOutbox,
  useSaved,
  useStatus,
  useText,
  useUndo,
} from "@heddle/react";
import { createElement as h, StrictMode, useEffect, useState, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";

const openings: string[] = [];
let root: Root;

function Note({ name, person }: { readonly name: string; readonly person: string }): ReactNode {
  const note = useDocument(name);
  const text = useText(note, "text");
  const map = useMap<number>(note, "map");
  const list = useArray<string>(note, "list");
  const { others, setField } = useAwareness(note);
  const { canUndo, undo } = useUndo(note, "text");
  const outbox = useOutbox(note);
  const facts = {
    name: note?.name,
    text: text?.toJSON(),
    count: map?.get("count") ?? 0,
    list: list?.toArray(),
    others: [...others.values()].map((state) => state["person"]),
    status: useStatus(note),
    saved: useSaved(note),
    pending: outbox.pending,
    canUndo,
  };
  useEffect(() => {
    if (note) openings.push(note.name);
    setField("person", person);
  }, [note, person, setField]);
  return h(
    "div",
    null,
    h("button", { id: "type", onClick: () => text?.insert(text.length, "word ") }, "type"),
    h("button", { id: "count", onClick: () => map?.set("count", facts.count + 1) }, "count"),
    h("button", { id: "list", onClick: () => list?.push(["item"]) }, "list"),
    h("button", { id: "undo", disabled: !canUndo, onClick: undo }, "undo"),
    h("pre", { id: "facts" }, JSON.stringify(facts)),
  );
}

function App({ url, person }: { readonly url: string; readonly person: string }): ReactNode {
  const [name, setName] = useState("first");
  return h(
    HeddleRoot,
    { url },
    h(Note, { name, person }),
    h("button", { id: "other", onClick: () => setName("second") }, "other"),
  );
}

const page = {
  show(url: string, person: string): void {
    const parent = document.createElement("main");
    document.body.append(parent);
    root = createRoot(parent);
    root.render(h(StrictMode, null, h(App, { url, person })));
  },
  hide: () => root.unmount(),
  openings: () => openings,
};

export type ReactPage = typeof page;
Object.assign(globalThis, { page, isReady: true });
