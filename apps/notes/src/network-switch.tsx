import { useSyncExternalStore } from "react";
import type { OpenDocuments } from "./open-documents.ts";

/** Lets a person work apart for a while; everything they write is sent when they come back. */
export function NetworkSwitch({ documents }: { readonly documents: OpenDocuments }) {
  const isOnline = useSyncExternalStore(documents.subscribe, documents.isOnline);
  return (
    <label className="network-switch">
      Use the network
      <input
        type="checkbox"
        role="switch"
        checked={isOnline}
        onChange={(event) => documents.setOnline(event.target.checked)}
      />
    </label>
  );
}
