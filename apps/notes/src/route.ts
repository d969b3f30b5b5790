import { useSyncExternalStore } from "react";
import { isNoteId } from "./note-id.ts";
import { welcomeNoteId } from "./welcome.ts";

/** The note named by the address (`#/<id>`); `undefined` when what stands there cannot be a note. */
export function useNoteInAddress(): string | undefined {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return noteInHash(hash);
}

export function noteHref(id: string): string {
  return `#/${id}`;
}

/** The bare address leads to the welcome note, without a step in the history that "back" would fall into. */
function noteInHash(hash: string): string | undefined {
  const id = hash.replace(/^#?\/?/, "");
  if (id === "") return welcomeNoteId;
  return isNoteId(id) ? id : undefined;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
