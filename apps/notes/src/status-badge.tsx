import type { ConnectionState } from "./connection-state.ts";
import type { DocumentStatus } from "./shared-document.ts";
import { editsToSend } from "./status-words.ts";

/** Where the connection stands, and what became of the edits of this device. */
export function StatusBadge({ status }: { readonly status: DocumentStatus }) {
  const { label, detail } = words[status.connection.name];
  return (
    <p className={`status is-${status.connection.name}`} role="status" title={detail}>
      <span className="status-dot" aria-hidden="true" />
      <span className="status-label">{label}</span>
      <span className="status-saved" title={savedDetail(status)}>
        {savedLabel(status)}
      </span>
    </p>
  );
}

/** The sentence that must not be missed. It stands between title and text while there is something to say. */
export function ConnectionNotice({ status }: { readonly status: DocumentStatus }) {
  const text = noticeText(status);
  return text === undefined ? null : <p className="notice">{text}</p>;
}

const words: Record<ConnectionState["name"], { label: string; detail: string }> = {
  connecting: { label: "Connecting", detail: "Trying to reach the relay." },
  "catching-up": { label: "Catching up", detail: "Connected. Fetching what others wrote." },
  connected: { label: "Connected", detail: "Edits are sent as you type." },
  offline: { label: "Offline", detail: "Edits are kept on this device, and are sent later." },
  refused: { label: "Refused", detail: "The relay refused this note." },
};

function savedLabel({ saved, pending }: DocumentStatus): string {
  if (saved === false) return "Saving…";
  if (pending > 0) return editsToSend(pending);
  return savedWord[saved];
}

function savedDetail({ saved, pending }: DocumentStatus): string {
  if (saved === false) return "Not everything is on this device yet.";
  const here = savedHere[saved];
  return pending > 0
    ? `${here} ${pending} of your edits are on no relay yet.`
    : `${here} The relay has all of your edits on its disk.`;
}

const savedWord = {
  strict: "Saved",
  relaxed: "Saved by the browser",
  memory: "In this window only",
};

const savedHere = {
  strict: "On this device's disk.",
  relaxed: "Kept by this browser, which may hold it in memory for a moment.",
  memory: "In this window only: this browser stores nothing for this page.",
};

function noticeText(status: DocumentStatus): string | undefined {
  const { connection, isHere, isApart, saved, pending, trouble, wasEvicted } = status;
  if (trouble !== undefined)
    return `This browser stores nothing at the moment (${trouble}). What you write is in this window only: keep it open.`;
  if (wasEvicted)
    return "This browser has thrown away what it kept of your notes. What is shown is kept again; edits that were not sent before, and in no open window, are lost.";
  if (connection.name === "refused") {
    const because = connection.reason === "" ? `code ${connection.code}` : connection.reason;
    return `The relay refused this note (${because}). What you write here stays on this device.`;
  }
  if (connection.name !== "offline") return undefined;
  if (!isHere)
    return "Offline, and this note was not on this device before: what others wrote is missing. What you write will be merged into it.";
  if (pending === 0) return "Offline. You can go on writing; your edits are kept on this device.";
  if (saved === false || saved === "memory")
    return "Offline. Your edits are in this window only: keep it open.";
  const then = isApart ? "when you use the network again" : "when the relay answers";
  return `Offline. Your edits are kept on this device, and are sent ${then}.`;
}
