import type { ConnectionState } from "./connection-state.ts";
import type { DocumentStatus } from "./shared-document.ts";

/** What is known about the connection, and no more: stock y-websocket cannot tell whether an edit was kept. */
export function StatusBadge({ status }: { readonly status: DocumentStatus }) {
  const { label, detail } = words[status.connection.name];
  return (
    <p className={`status is-${status.connection.name}`} role="status" title={detail}>
      <span className="status-dot" aria-hidden="true" />
      {label}
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
  connected: {
    label: "Connected",
    detail: "Edits are sent as you type. Nothing confirms yet that the relay has kept them.",
  },
  offline: { label: "Offline", detail: "The relay does not answer. This window keeps trying." },
  refused: { label: "Refused", detail: "The relay refused this note." },
};

function noticeText({
  connection,
  everLoaded,
  hasUnsentEdits,
}: DocumentStatus): string | undefined {
  if (connection.name === "refused") {
    const because = connection.reason === "" ? `code ${connection.code}` : connection.reason;
    return `The relay refused this note (${because}). What you write here stays in this window.`;
  }
  if (connection.name !== "offline") return undefined;
  if (hasUnsentEdits)
    return "Offline. Your edits stay in this window: keep it open until it is connected again.";
  if (!everLoaded)
    return "Offline. This note has not been fetched yet; what you write will be merged into it.";
  return "Offline. You can go on writing; your edits stay in this window until the relay answers.";
}
