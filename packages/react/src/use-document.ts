import { useEffect, useState } from "react";

import { useDocuments } from "./heddle-root.ts";
import type { OpenDocument, OpenDocuments } from "./open-documents.ts";

interface Shown {
  readonly documents: OpenDocuments;
  readonly document: OpenDocument | undefined;
}

/**
 * The document of that name for as long as the component is shown; another one after a `reset`. `undefined` in
 * the first rendering, and on a server: a document is opened by an effect, as it lives in this browser.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, to the next error boundary, for what cannot be the name of a
 * document; Error outside a {@link HeddleRoot}.
 */
export function useDocument(name: string): OpenDocument | undefined {
  const documents = useDocuments();
  const [shown, setShown] = useState<Shown>();
  useEffect(() => {
    const release = documents.hold(name, (document) => setShown({ documents, document }));
    return () => {
      release();
      // A component that is hidden and shown again must not begin with what was closed meanwhile.
      setShown(undefined);
    };
  }, [documents, name]);
  // After a change of name the old one is in the state for one rendering: never show it as the new.
  const isCurrent = shown?.documents === documents && shown.document?.name === name;
  return isCurrent ? shown.document : undefined;
}
