import type { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { Editor } from "./editor.tsx";
import type { Identity } from "./identity.ts";
import { ListButton } from "./list-button.tsx";
import type { NoteEntry } from "./note-content.ts";
import { noteDocumentName } from "./note-id.ts";
import { NoteTitle } from "./note-title.tsx";
import type { OpenDocuments } from "./open-documents.ts";
import { PeopleHere } from "./people-here.tsx";
import type { DocumentStatus, SharedDocument } from "./shared-document.ts";
import { ConnectionNotice, StatusBadge } from "./status-badge.tsx";
import { usePresence } from "./use-people.ts";
import { useDocumentStatus, useSharedDocument } from "./use-shared-document.ts";
import { addWelcomeText, welcomeNoteId } from "./welcome.ts";

export interface NotePageProps {
  readonly id: string;
  readonly documents: OpenDocuments;
  /** Missing while the list is not here, and for a note that nobody has given a title. */
  readonly entry: NoteEntry | undefined;
  /** The list is here: a title written now does not silently replace one that is still on its way. */
  readonly canRename: boolean;
  /** Made in this window a moment ago: the title is what one wants to write first. */
  readonly isNew: boolean;
  readonly identity: Identity;
  readonly onRename: (title: string) => void;
  readonly onOpenList: () => void;
}

/** Opens the note and keeps it open while it is shown. */
export function NotePage(props: NotePageProps) {
  const note = useSharedDocument(props.documents, noteDocumentName(props.id));
  return note === undefined ? <main className="note" /> : <OpenNote {...props} note={note} />;
}

function OpenNote(props: NotePageProps & { readonly note: SharedDocument }) {
  const { id, note, entry, identity } = props;
  const known = useDocumentStatus(note);
  // Nobody else can have written in a note that was made here a moment ago.
  const status = props.isNew ? { ...known, isHere: true } : known;
  const viewRef = useRef<EditorView | null>(null);
  usePresence(note.awareness, identity);
  useEffect(() => {
    if (id === welcomeNoteId && status.everLoaded) addWelcomeText(note.ydoc);
  }, [id, note, status.everLoaded]);

  return (
    <main className={isComing(status) ? "note is-loading" : "note"}>
      <header className="note-bar">
        <ListButton onClick={props.onOpenList} />
        <StatusBadge status={status} />
        <PeopleHere awareness={note.awareness} person={identity.person} />
      </header>
      <div className="note-sheet">
        <NoteTitle
          title={entry?.title ?? ""}
          isReadOnly={entry === undefined && !props.canRename}
          hasFocusFirst={props.isNew}
          onRename={props.onRename}
          onDone={() => viewRef.current?.focus()}
        />
        <ConnectionNotice status={status} />
        <Editor document={note} viewRef={viewRef} />
      </div>
    </main>
  );
}

/** Its text may be here in a moment. */
function isComing({ isHere, connection }: DocumentStatus): boolean {
  return !isHere && (connection.name === "connecting" || connection.name === "catching-up");
}
