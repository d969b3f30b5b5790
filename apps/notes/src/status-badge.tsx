import type { ConnectionState } from "./connection-state.ts";
import type { DocumentStatus } from "./shared-document.ts";

/** Where the connection stands, and what became of the edits of this device. */
export function StatusBadge({ status }: { readonly status: DocumentStatus }) {
  const { label, detail } = words[status.connection.name];
  return (
    <p className={`status is-${status.connection.name}`} role="status" title={detail}>
      <span className="status-dot" aria-hidden="true" />
      {label}
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
  if (pending > 0) return `${pending} to send`;
  return "Saved";
}

function savedDetail({ saved, pending }: DocumentStatus): string {
  if (saved === false) return "Not everything is on this device yet.";
  const here = savedHere[saved];
  return pending > 0
    ? `${here} ${pending} of your edits are on no relay yet.`
    : `${here} The relay has all of your edits on its disk.`;
}

const savedHere = {
  strict: "On this device's disk.",
  relaxed: "Kept by this browser, which may hold it in memory for a moment.",
  memory: "In this window only: this browser stores nothing for this page.",
};

function noticeText({
  connection,
  everLoaded,
  saved,
  pending,
}: DocumentStatus): string | undefined {
  if (connection.name === "refused") {
    const because = connection.reason === "" ? `code ${connection.code}` : connection.reason;
    return `The relay refused this note (${because}). What you write here stays on this device.`;
  }
  if (connection.name !== "offline") return undefined;
  if (pending > 0 && saved !== false && saved !== "memory")
    return "Offline. Your edits are kept on this device, and are sent when the relay answers.";
  if (pending > 0) return "Offline. Your edits are in this window only: keep it open.";
  if (!everLoaded)
    return "Offline. What others wrote may be missing; what you write will be merged into it.";
  return "Offline. You can go on writing; your edits are kept on this device.";
}
