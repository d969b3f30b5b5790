import { useEffect, useMemo, useState } from "react";
import * as Y from "yjs";

import type { OpenDocument } from "./open-documents.ts";

export interface Undo {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly undo: () => void;
  readonly redo: () => void;
}

/** Takes back what was done here to a text of the document, and never what others did. */
export function useUndo(document: OpenDocument | undefined, name: string): Undo {
  const [manager, setManager] = useState<Y.UndoManager>();
  const [can, setCan] = useState({ canUndo: false, canRedo: false });
  useEffect(() => {
    if (document === undefined) return undefined;
    const made = new Y.UndoManager(document.ydoc.getText(name));
    const look = (): void => setCan({ canUndo: made.canUndo(), canRedo: made.canRedo() });
    made.on("stack-item-added", look);
    made.on("stack-item-popped", look);
    made.on("stack-cleared", look);
    setManager(made);
    look();
    return () => {
      made.destroy();
      setManager(undefined);
    };
  }, [document, name]);
  return useMemo(
    () => ({ ...can, undo: () => void manager?.undo(), redo: () => void manager?.redo() }),
    [can, manager],
  );
}
