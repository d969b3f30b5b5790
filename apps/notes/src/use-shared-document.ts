import { useEffect, useState, useSyncExternalStore } from "react";
import type { OpenDocuments } from "./open-documents.ts";
import type { DocumentStatus, SharedDocument } from "./shared-document.ts";

/** The document of that name while the component is shown; `undefined` in the first moment. */
export function useSharedDocument(
  documents: OpenDocuments,
  name: string,
): SharedDocument | undefined {
  const [document, setDocument] = useState<SharedDocument>();
  useEffect(() => {
    const acquired = documents.acquire(name);
    setDocument(acquired);
    return () => documents.release(acquired);
  }, [documents, name]);
  // After a change of name the old document is still in the state for one rendering: never show it as the new.
  return document?.name === name ? document : undefined;
}

export function useDocumentStatus(document: SharedDocument): DocumentStatus {
  return useSyncExternalStore(document.subscribe, document.status);
}
