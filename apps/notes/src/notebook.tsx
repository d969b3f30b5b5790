import { useCallback, useEffect, useState } from "react";
import { useDevicePending } from "./device-outbox.ts";
import { useIdentity } from "./identity.ts";
import { newNoteId } from "./note-id.ts";
import { renameNote, useNoteIndex } from "./note-index.ts";
import { NotePage } from "./note-page.tsx";
import type { OpenDocuments } from "./open-documents.ts";
import { noteHref, useNoteInAddress } from "./route.ts";
import type { SharedDocument } from "./shared-document.ts";
import { Sidebar } from "./sidebar.tsx";
import { UnknownNote } from "./unknown-note.tsx";
import { useDocumentStatus } from "./use-shared-document.ts";
import { addWelcomeEntry } from "./welcome.ts";

export interface NotebookProps {
  readonly documents: OpenDocuments;
  readonly index: SharedDocument;
}

/** The page: the list on one side, the note named in the address on the other. */
export function Notebook({ documents, index }: NotebookProps) {
  const openId = useNoteInAddress();
  const notes = useNoteIndex(index.ydoc);
  const indexStatus = useDocumentStatus(index);
  const pending = useDevicePending(index, notes);
  const identity = useIdentity();
  const [isListOpen, setListOpen] = useState(false);
  const [createdId, setCreatedId] = useState<string>();

  useEffect(() => {
    // Only on top of what the relay has: see welcome.ts for why two windows may both do it.
    if (indexStatus.everLoaded) addWelcomeEntry(index.ydoc);
  }, [index, indexStatus.everLoaded]);
  useEffect(() => setListOpen(false), [openId]);

  const createNote = () => {
    const id = newNoteId();
    renameNote(index.ydoc, id, "");
    setCreatedId(id);
    location.hash = noteHref(id);
  };
  const openList = () => setListOpen(true);
  const closeList = useCallback(() => setListOpen(false), []);

  return (
    <div className="notebook">
      <Sidebar
        notes={notes}
        openId={openId}
        indexStatus={indexStatus}
        pending={pending}
        documents={documents}
        person={identity.person}
        isOpen={isListOpen}
        onCreate={createNote}
        onClose={closeList}
        onRenamePerson={identity.rename}
      />
      {openId === undefined ? (
        <UnknownNote onOpenList={openList} />
      ) : (
        <NotePage
          key={openId}
          id={openId}
          documents={documents}
          entry={notes.find(({ id }) => id === openId)}
          canRename={indexStatus.isHere}
          isNew={openId === createdId}
          identity={identity}
          onRename={(title) => renameNote(index.ydoc, openId, title)}
          onOpenList={openList}
        />
      )}
    </div>
  );
}
