import { useEffect, useReducer } from "react";
import type * as Y from "yjs";

import type { OpenDocument } from "./open-documents.ts";

/** A text of the document; the component is rendered again after each change of it. */
export function useText(document: OpenDocument | undefined, name: string): Y.Text | undefined {
  return useShared(document?.ydoc.getText(name));
}

/** A map of the document; the component is rendered again after each change in it. */
export function useMap<Value = unknown>(
  document: OpenDocument | undefined,
  name: string,
): Y.Map<Value> | undefined {
  return useShared(document?.ydoc.getMap<Value>(name));
}

/** An array of the document; the component is rendered again after each change in it. */
export function useArray<Value = unknown>(
  document: OpenDocument | undefined,
  name: string,
): Y.Array<Value> | undefined {
  return useShared(document?.ydoc.getArray<Value>(name));
}

type Deep = Pick<Y.Map<unknown>, "observeDeep" | "unobserveDeep">;

/** What Yjs holds changes in place: a number stands for its versions. */
function useShared<Type extends Deep>(shared: Type | undefined): Type | undefined {
  const [, render] = useReducer((version: number) => version + 1, 0);
  useEffect(() => {
    if (shared === undefined) return undefined;
    shared.observeDeep(render);
    // What arrived between the first rendering and this moment is not announced again.
    render();
    return () => shared.unobserveDeep(render);
  }, [shared]);
  return shared;
}
