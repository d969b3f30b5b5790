import { useEffect, useState } from "react";

import { useDocuments } from "./heddle-root.ts";
import type { OpenDocuments, OpenDocument } from "./open-documents.ts";

interface Shown {
  readonly documents: OpenDocuments;
  readonly document: OpenDocument;
}

/**
 * The document of that name for as long as the component is shown. `undefined` in the first rendering, and on a
 * server: a document is opened by an effect, as it lives in this browser.
 */
export function useDocument(name: string): OpenDocument | undefined {
  const documents = useDocuments();
  const [shown, setShown] = useState<Shown>();
  useEffect(() => {
    const document = documents.acquire(name);
    setShown({ documents, document });
    return () => documents.release(document);
  }, [documents, name]);
  // After a change of name the old one is in the state for one rendering: never show it as the new.
  const isCurrent = shown?.documents === documents && shown.document.name === name;
  return isCurrent ? shown.document : undefined;
}
