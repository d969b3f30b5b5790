import { useEffect, useMemo, useState } from "react";
import * as Y from "yjs";

import type { OpenDocument } from "./open-documents.ts";

/** What {@link useUndo} returns. */
export interface Undo {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Nothing where there is nothing to take back. */
  readonly undo: () => void;
  readonly redo: () => void;
}

/** What can be taken back: a shared type, with all that is in it. */
export type UndoScope = Pick<Y.Text, "observeDeep" | "doc"> | undefined;

interface Made {
  readonly shared: UndoScope;
  readonly manager: Y.UndoManager;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/**
 * Takes back what was done here, and never what others did. Edits of editors' bindings, which have an origin of
 * their own, are left to the `UndoManager` that comes with the binding.
 *
 * @param scope the name of a text of the document, or what {@link useMap}, {@link useArray} or {@link useText} gave.
 */
export function useUndo(document: OpenDocument | undefined, scope: string | UndoScope): Undo {
  const shared = typeof scope === "string" ? document?.ydoc.getText(scope) : scope;
  const [made, setMade] = useState<Made>();
  useEffect(() => {
    if (shared === undefined) return undefined;
    const manager = new Y.UndoManager(shared as Y.Text);
    const look = (): void => {
      setMade({ shared, manager, canUndo: manager.canUndo(), canRedo: manager.canRedo() });
    };
    manager.on("stack-item-added", look);
    manager.on("stack-item-popped", look);
    manager.on("stack-cleared", look);
    look();
    return () => {
      manager.destroy();
      setMade(undefined);
    };
  }, [shared]);
  // After a change of document nothing of the one before can be taken back.
  const current = made?.shared === shared ? made : undefined;
  return useMemo(
    () => ({
      canUndo: current?.canUndo ?? false,
      canRedo: current?.canRedo ?? false,
      undo: () => void current?.manager.undo(),
      redo: () => void current?.manager.redo(),
    }),
    [current],
  );
}
