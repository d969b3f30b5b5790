// Editors as their own guides bind them to Yjs; of the provider only the import is another.
import { EditorView as CodeMirrorView } from "@codemirror/view";
import { HeddleProvider } from "@heddle/client";
import { Editor as Tiptap } from "@tiptap/core";
import { Collaboration } from "@tiptap/extension-collaboration";
import { CollaborationCaret } from "@tiptap/extension-collaboration-caret";
import { Document } from "@tiptap/extension-document";
import { Paragraph } from "@tiptap/extension-paragraph";
import { Text } from "@tiptap/extension-text";
import { schema } from "prosemirror-schema-basic";
import { EditorState } from "prosemirror-state";
import { EditorView } from "prosemirror-view";
import Quill from "quill";
import QuillCursors from "quill-cursors";
import { yCollab } from "y-codemirror.next";
import { undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from "y-prosemirror";
import { QuillBinding } from "y-quill";
import { WebrtcProvider } from "y-webrtc";
import * as Y from "yjs";

/**
 * Binds an editor to the document; the returned function takes back one step of what was typed here, and says whether
 * there was one.
 */
type Bind = (parent: HTMLElement, provider: HeddleProvider) => () => boolean;

const editors: Record<string, Bind> = {
  codemirror(parent, { doc, awareness }) {
    const text = doc.getText("codemirror");
    const undoManager = new Y.UndoManager(text);
    const extensions = [yCollab(text, awareness, { undoManager })];
    new CodeMirrorView({ doc: text.toJSON(), parent, extensions }).focus();
    return () => undoManager.undo() !== null;
  },
  tiptap(element, provider) {
    const { doc: document } = provider;
    const caret = CollaborationCaret.configure({ provider, user: userOf(provider) });
    const collaboration = Collaboration.configure({ document, field: "tiptap" });
    const extensions = [Document, Paragraph, Text, collaboration, caret];
    const editor = new Tiptap({ element, extensions });
    editor.commands.focus();
    return () => editor.commands.undo();
  },
  prosemirror(parent, { doc, awareness }) {
    const fragment = doc.getXmlFragment("prosemirror");
    const plugins = [ySyncPlugin(fragment), yCursorPlugin(awareness), yUndoPlugin()];
    const view = new EditorView(parent, { state: EditorState.create({ schema, plugins }) });
    view.focus();
    return () => undo(view.state);
  },
  quill(parent, { doc, awareness }) {
    Quill.register("modules/cursors", QuillCursors);
    const quill = new Quill(parent, { modules: { cursors: true, history: { userOnly: true } } });
    const text = doc.getText("quill");
    const binding = new QuillBinding(text, quill, awareness);
    const undoManager = new Y.UndoManager(text, { trackedOrigins: new Set([binding]) });
    quill.focus();
    return () => undoManager.undo() !== null;
  },
};

function userOf({ awareness }: HeddleProvider): { name: string; color: string } {
  return awareness.getLocalState()!["user"] as { name: string; color: string };
}

let provider: HeddleProvider;
let webrtc: WebrtcProvider | undefined;
let takeBack: () => boolean;

const page = {
  open(url: string, room: string, name: string): void {
    provider = new HeddleProvider(url, room, new Y.Doc());
    provider.awareness.setLocalStateField("user", { name, color: "#aa3377" });
  },
  /** Of each editor there is one at a time. */
  mount(kind: string): void {
    const parent = document.createElement("div");
    document.body.replaceChildren(parent);
    takeBack = editors[kind]!(parent, provider);
  },
  /** All of it: keys that came slowly are steps of their own. */
  undoAll(): void {
    while (takeBack());
  },
  /** What a person reads, without the names at the carets. */
  read(): string {
    const shown = document.querySelector(".cm-content, .ProseMirror, .ql-editor")!;
    const copy = shown.cloneNode(true) as Element;
    const marks = "[class*=ySelection], [class*=caret], [class*=cursor], .ProseMirror-widget";
    for (const mark of copy.querySelectorAll(marks)) mark.remove();
    return copy.textContent.replaceAll(/[\u2060\uFEFF]/g, "");
  },
  /** Names at the carets of others. */
  carets(): string[] {
    const names =
      ".cm-ySelectionInfo, [class*=carets__label], .ProseMirror-yjs-cursor, .ql-cursor-name";
    return [...document.querySelectorAll(names)].map((name) => {
      return name.textContent.replaceAll("\u2060", "");
    });
  },
  /** Beside ours: between tabs, as there is no signalling server. */
  addWebrtc(): void {
    const { doc, awareness } = provider;
    webrtc = new WebrtcProvider("editors", doc, { signaling: [], awareness });
  },
  state() {
    const { outbox, doc } = provider;
    const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc)).values()];
    return {
      pending: outbox.pending,
      /** Characters and whatever else was ever written into the document. */
      written: clocks.reduce((sum, clock) => sum + clock, 0),
      isBeside: webrtc?.room?.bcconnected ?? false,
    };
  },
};

export type EditorPage = typeof page;
Object.assign(globalThis, { page, isReady: true });
