import { Notebook } from "./notebook.tsx";
import { noteIndexName } from "./note-id.ts";
import type { OpenDocuments } from "./open-documents.ts";
import { useSharedDocument } from "./use-shared-document.ts";

/** Holds the list of notes open for as long as the page is. */
export function App({ documents }: { readonly documents: OpenDocuments }) {
  const index = useSharedDocument(documents, noteIndexName);
  return index === undefined ? null : <Notebook documents={documents} index={index} />;
}
