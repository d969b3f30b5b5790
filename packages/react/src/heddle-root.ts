import type { HeddleProviderOptions } from "@heddle/client";
import { createContext, createElement, useContext, useState, type ReactNode } from "react";

import { OpenDocuments } from "./open-documents.ts";

export interface HeddleRootProps {
  /** Of the relay; `ws:` or `wss:`. */
  readonly url: string;
  /** For every document below; those of the first rendering hold. */
  readonly options?: HeddleProviderOptions;
  readonly children?: ReactNode;
}

const DocumentsContext = createContext<OpenDocuments | undefined>(undefined);

/** Where documents below it are kept and synchronised. Nothing is opened before a component asks for it. */
export function HeddleRoot({ url, options = {}, children }: HeddleRootProps): ReactNode {
  const [first, setDocuments] = useState(() => new OpenDocuments(url, options));
  let documents = first;
  if (documents.url !== url) {
    documents = new OpenDocuments(url, options);
    setDocuments(documents);
  }
  return createElement(DocumentsContext.Provider, { value: documents }, children);
}

/** @throws Error outside a {@link HeddleRoot}. */
export function useDocuments(): OpenDocuments {
  const documents = useContext(DocumentsContext);
  if (documents === undefined) throw new Error("there is no HeddleRoot above this component");
  return documents;
}
