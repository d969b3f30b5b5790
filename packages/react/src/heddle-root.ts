import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useState,
  type ReactNode,
} from "react";

import { OpenDocuments, type DocumentOptions } from "./open-documents.ts";
import type { Trouble } from "./trouble.ts";

/** Of {@link HeddleRoot}. */
export interface HeddleRootProps {
  /** Of the relay; `ws:` or `wss:`. With another one all documents below are opened anew. */
  readonly url: string;
  /**
   * For every document below. Those of the first rendering hold, but for `getToken`: the newest one is
   * asked, so that it may be a function of the component.
   */
  readonly options?: DocumentOptions;
  /**
   * Told of what a person should know of any document below, also of one that is not shown any more while its
   * last edits are saved. {@link useTrouble} has the same for one document.
   */
  readonly onTrouble?: (trouble: Trouble) => void;
  readonly children?: ReactNode;
}

const DocumentsContext = createContext<OpenDocuments | undefined>(undefined);

/** Where documents below it are kept and synchronised. Nothing is opened before a component asks for it. */
export function HeddleRoot({ url, options = {}, onTrouble, children }: HeddleRootProps): ReactNode {
  const [first, setDocuments] = useState(() => new OpenDocuments(url, options, onTrouble));
  let documents = first;
  if (documents.url !== url) {
    documents = new OpenDocuments(url, options, onTrouble);
    setDocuments(documents);
  }
  const { getToken } = options;
  useEffect(() => documents.renew({ getToken, onTrouble }), [documents, getToken, onTrouble]);
  return createElement(DocumentsContext.Provider, { value: documents }, children);
}

/** @throws Error outside a {@link HeddleRoot}. */
export function useDocuments(): OpenDocuments {
  const documents = useContext(DocumentsContext);
  if (documents === undefined) throw new Error("there is no HeddleRoot above this component");
  return documents;
}
