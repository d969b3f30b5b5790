import type * as Y from "yjs";

/** The one text of a note. These two names are the data format: renaming one empties every note. */
export function noteText(ydoc: Y.Doc): Y.Text {
  return ydoc.getText("text");
}

/** Note id -> what {@link readNoteEntry} reads, in the document `notes/index`. */
export function noteMap(ydoc: Y.Doc): Y.Map<unknown> {
  return ydoc.getMap("notes");
}

export interface NoteEntry {
  readonly title: string;
  readonly createdAt: number;
}

/** Any peer may have written the entry, so nothing about it is taken for granted. */
export function readNoteEntry(value: unknown): NoteEntry | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { title, createdAt } = value as { title?: unknown; createdAt?: unknown };
  if (typeof title !== "string") return undefined;
  return { title, createdAt: typeof createdAt === "number" ? createdAt : 0 };
}
