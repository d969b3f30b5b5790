import { useCallback, useSyncExternalStore } from "react";
import { noteDocumentName } from "./note-id.ts";
import type { ListedNote } from "./note-index.ts";
import type { SharedDocument } from "./shared-document.ts";

/** How many edits of this device no relay has. */
export interface DevicePending {
  readonly total: number;
  /** By note id; notes of which all is sent are left out. */
  readonly byNote: Readonly<Record<string, number>>;
}

/** Of all notes of the list, whether or not they are open, and in total. */
export function useDevicePending(
  index: SharedDocument,
  notes: readonly ListedNote[],
): DevicePending {
  // A string is compared by value.
  const read = useCallback((): string => {
    const byNote: Record<string, number> = {};
    for (const { id } of notes) {
      const pending = index.pendingOf(noteDocumentName(id));
      if (pending > 0) byNote[id] = pending;
    }
    return JSON.stringify({ total: index.devicePending, byNote } satisfies DevicePending);
  }, [index, notes]);
  return JSON.parse(useSyncExternalStore(index.subscribeToDevice, read)) as DevicePending;
}
