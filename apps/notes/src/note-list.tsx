import type { ListedNote } from "./note-index.ts";
import { noteHref } from "./route.ts";
import type { DocumentStatus } from "./shared-document.ts";
import { editsToSend } from "./status-words.ts";

export interface NoteListProps {
  readonly notes: readonly ListedNote[];
  readonly openId: string | undefined;
  readonly status: DocumentStatus;
  /** Edits to be sent, by note id. */
  readonly pending: Readonly<Record<string, number>>;
  readonly onOpen: () => void;
}

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function NoteList({ notes, openId, status, pending, onOpen }: NoteListProps) {
  return (
    <nav className="note-list" aria-label="All notes">
      {status.isHere ? null : <p className="list-hint">{pendingHint(status)}</p>}
      <ul>
        {notes.map(({ id, title, createdAt }) => (
          <li key={id}>
            <a
              href={noteHref(id)}
              aria-current={id === openId ? "page" : undefined}
              onClick={onOpen}
            >
              <span className={title.trim() === "" ? "note-name is-untitled" : "note-name"}>
                {title.trim() || "Untitled note"}
              </span>
              {pending[id] === undefined ? null : <PendingCount pending={pending[id]} />}
              {createdAt > 0 ? <span className="note-day">{day.format(createdAt)}</span> : null}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function PendingCount({ pending }: { readonly pending: number }) {
  return (
    <span className="note-pending" title={`${editsToSend(pending)}: they are kept on this device.`}>
      <span aria-hidden="true">↑{pending}</span>
      <span className="visually-hidden">{editsToSend(pending)}</span>
    </span>
  );
}

function pendingHint({ connection }: DocumentStatus): string {
  switch (connection.name) {
    case "offline":
      return "The list will be here when the relay answers.";
    case "refused":
      return "The relay does not let this window see the list.";
    default:
      return "Fetching the list…";
  }
}
