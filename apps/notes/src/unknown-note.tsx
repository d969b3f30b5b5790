import { ListButton } from "./list-button.tsx";
import { noteHref } from "./route.ts";
import { welcomeNoteId } from "./welcome.ts";

/** For an address that cannot be a note's. One that merely has no text yet is an empty note, not an unknown one. */
export function UnknownNote({ onOpenList }: { readonly onOpenList: () => void }) {
  return (
    <main className="note">
      <header className="note-bar">
        <ListButton onClick={onOpenList} />
      </header>
      <div className="note-sheet">
        <h1>No note has this address</h1>
        <p>
          Choose one from the list, or go to <a href={noteHref(welcomeNoteId)}>the welcome note</a>.
        </p>
      </div>
    </main>
  );
}
