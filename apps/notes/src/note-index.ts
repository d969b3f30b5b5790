import { useMemo, useSyncExternalStore } from "react";
import type * as Y from "yjs";
import { isNoteId } from "./note-id.ts";
import { noteMap, readNoteEntry, type NoteEntry } from "./note-content.ts";

export interface ListedNote extends NoteEntry {
  readonly id: string;
}

/** All notes of the list, newest first. The welcome note, created at 0, is always last. */
export function useNoteIndex(ydoc: Y.Doc): readonly ListedNote[] {
  const store = useMemo(() => noteIndexStore(noteMap(ydoc)), [ydoc]);
  return useSyncExternalStore(store.subscribe, store.read);
}

/** Keeps `createdAt`, so that a rename does not move the note in the list. */
export function renameNote(ydoc: Y.Doc, id: string, title: string): void {
  const notes = noteMap(ydoc);
  const createdAt = readNoteEntry(notes.get(id))?.createdAt ?? Date.now();
  notes.set(id, { title, createdAt } satisfies NoteEntry);
}

function noteIndexStore(notes: Y.Map<unknown>) {
  let listed = listNotes(notes);
  return {
    read: () => listed,
    subscribe(listener: () => void): () => void {
      const onChange = () => {
        listed = listNotes(notes);
        listener();
      };
      // What arrived between the first rendering and this moment is not announced again.
      onChange();
      notes.observe(onChange);
      return () => notes.unobserve(onChange);
    },
  };
}

function listNotes(notes: Y.Map<unknown>): readonly ListedNote[] {
  const listed: ListedNote[] = [];
  for (const [id, value] of notes.entries()) {
    const entry = readNoteEntry(value);
    if (entry !== undefined && isNoteId(id)) listed.push({ id, ...entry });
  }
  return listed.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
}
