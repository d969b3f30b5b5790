import { useEffect, useRef } from "react";
import type { DevicePending } from "./device-outbox.ts";
import { DevicePendingLine } from "./device-pending-line.tsx";
import { IdentityField } from "./identity-field.tsx";
import { Mark } from "./mark.tsx";
import { NetworkSwitch } from "./network-switch.tsx";
import type { ListedNote } from "./note-index.ts";
import { NoteList } from "./note-list.tsx";
import type { OpenDocuments } from "./open-documents.ts";
import type { Person } from "./person.ts";
import type { DocumentStatus } from "./shared-document.ts";

export interface SidebarProps {
  readonly notes: readonly ListedNote[];
  readonly openId: string | undefined;
  readonly indexStatus: DocumentStatus;
  readonly pending: DevicePending;
  readonly person: Person;
  /** Matters on narrow screens only, where the list lies over the note. */
  readonly isOpen: boolean;
  readonly documents: OpenDocuments;
  readonly onCreate: () => void;
  readonly onClose: () => void;
  readonly onRenamePerson: (name: string) => void;
}

export function Sidebar(props: SidebarProps) {
  const { isOpen, onClose } = props;
  const closeRef = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    closeRef.current?.focus();
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === "Escape") onClose();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [isOpen, onClose]);

  return (
    <>
      <div className={isOpen ? "sidebar-veil is-open" : "sidebar-veil"} onClick={onClose} />
      <aside className={isOpen ? "sidebar is-open" : "sidebar"} id="sidebar" aria-label="Notes">
        <header className="sidebar-head">
          <Mark />
          <span className="brand">heddle notes</span>
          <button
            ref={closeRef}
            className="icon-button only-narrow"
            aria-label="Close the list"
            onClick={onClose}
          >
            <svg viewBox="0 0 20 20" aria-hidden="true">
              <path d="M5 5l10 10M15 5L5 15" />
            </svg>
          </button>
        </header>
        <button className="new-note" onClick={props.onCreate}>
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d="M10 4v12M4 10h12" />
          </svg>
          New note
        </button>
        <NoteList
          notes={props.notes}
          openId={props.openId}
          status={props.indexStatus}
          pending={props.pending.byNote}
          onOpen={onClose}
        />
        <NetworkSwitch documents={props.documents} />
        <DevicePendingLine pending={props.pending.total} saved={props.indexStatus.saved} />
        <IdentityField person={props.person} onRename={props.onRenamePerson} />
      </aside>
    </>
  );
}
