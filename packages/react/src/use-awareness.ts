import { useCallback, useMemo, useSyncExternalStore } from "react";

import type { OpenDocument } from "./open-documents.ts";

/** What each client says of itself; its fields are the application's. */
export type AwarenessState = Readonly<Record<string, unknown>>;

/** What {@link useAwareness} returns. */
export interface Presence {
  /** Everybody else, by client id. */
  readonly others: ReadonlyMap<number, AwarenessState>;
  /** Says something of this client; `null` takes it back. */
  readonly setField: (name: string, value: unknown) => void;
}

const nobody = "[]";

/** Who is here. Rendered again when what somebody else says of themselves has changed. */
export function useAwareness(document: OpenDocument | undefined): Presence {
  const awareness = document?.awareness;
  const subscribe = useCallback(
    (listener: () => void) => {
      awareness?.on("change", listener);
      return () => awareness?.off("change", listener);
    },
    [awareness],
  );
  // A string is compared by value: a sign of life without news renders nothing.
  const read = (): string => {
    if (awareness === undefined) return nobody;
    const others = [...awareness.getStates()].filter(([client]) => client !== awareness.clientID);
    return JSON.stringify(others.toSorted(([a], [b]) => a - b));
  };
  const text = useSyncExternalStore(subscribe, read, () => nobody);
  const others = useMemo(() => new Map(JSON.parse(text) as [number, AwarenessState][]), [text]);
  const setField = useCallback(
    (name: string, value: unknown) => awareness?.setLocalStateField(name, value),
    [awareness],
  );
  return useMemo(() => ({ others, setField }), [others, setField]);
}
