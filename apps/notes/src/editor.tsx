import { defaultKeymap } from "@codemirror/commands";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef, type RefObject } from "react";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import * as Y from "yjs";
import { editorTheme } from "./editor-theme.ts";
import { noteText } from "./note-content.ts";
import { remoteCarets } from "./remote-carets.ts";
import type { SharedDocument } from "./shared-document.ts";

export interface EditorProps {
  readonly document: SharedDocument;
  /** Filled while the editor is there, so that the title can hand the focus on. */
  readonly viewRef: RefObject<EditorView | null>;
}

/** The text of one note. Tab leaves it, as it leaves any field: nobody is trapped in here. */
export function Editor({ document, viewRef }: EditorProps) {
  const parentRef = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = parentRef.current;
    if (parent === null) return undefined;
    const ytext = noteText(document.ydoc);
    const undoManager = new Y.UndoManager(ytext);
    const extensions = [
      yCollab(ytext, null, { undoManager }),
      remoteCarets(ytext, document.awareness),
      ...appearance,
    ];
    const view = new EditorView({
      parent,
      state: EditorState.create({ doc: ytext.toString(), extensions }),
    });
    viewRef.current = view;
    return () => {
      viewRef.current = null;
      view.destroy();
      undoManager.destroy();
    };
  }, [document, viewRef]);
  return <div className="editor" ref={parentRef} />;
}

const appearance: Extension[] = [
  keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
  // Positions are counted alike here and in Yjs only if a line break is one character.
  EditorState.lineSeparator.of("\n"),
  EditorView.clipboardInputFilter.of((text) => text.replaceAll(/\r\n?/g, "\n")),
  EditorView.lineWrapping,
  drawSelection(),
  placeholder("Write something. Everybody with this page's address can join in."),
  EditorView.contentAttributes.of({
    "aria-label": "Text of the note",
    spellcheck: "true",
    autocapitalize: "sentences",
  }),
  editorTheme,
];
