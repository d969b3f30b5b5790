import type { Saved } from "@heddle/client";
import { editsToSend } from "./status-words.ts";

export interface DevicePendingLineProps {
  /** Edits of this device, in all notes. */
  readonly pending: number;
  readonly saved: Saved;
}

/** One line for everything that was written on this device, in whatever note. */
export function DevicePendingLine({ pending, saved }: DevicePendingLineProps) {
  const state = pending === 0 ? "is-sent" : "is-waiting";
  return (
    <p className={`device-pending ${state}`}>
      <span className="status-dot" aria-hidden="true" />
      <span>
        {pending === 0 ? "All your edits are sent" : `${editsToSend(pending)} in all notes`}
        <small>{keptWhere(saved)}</small>
      </span>
    </p>
  );
}

function keptWhere(saved: Saved): string {
  switch (saved) {
    case "strict":
      return "Notes are kept on this device's disk";
    case "relaxed":
      return "Notes are kept by this browser";
    case "memory":
      return "Notes are kept in this window only";
    default:
      return "Saving on this device…";
  }
}
