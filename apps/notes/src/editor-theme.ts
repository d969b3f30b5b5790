import { EditorView } from "@codemirror/view";

/** One theme for light and dark: the colours are variables of tokens.css. */
export const editorTheme = EditorView.theme({
  "&": { flex: "1", backgroundColor: "transparent", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "1.65", overflow: "visible" },
  ".cm-content": { padding: "0.5rem 0 6rem", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0" },
  ".cm-placeholder": { color: "var(--ink-soft)" },
  "&.cm-focused > .cm-scroller > .cm-cursorLayer .cm-cursor": {
    borderLeft: "2px solid var(--accent)",
  },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground":
    {
      background: "var(--selection)",
    },
});
