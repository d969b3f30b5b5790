import type { HeddleProviderEvents, Outbox, Saved } from "@heddle/client";
import { useCallback, useRef, useSyncExternalStore } from "react";

import type { OpenDocument } from "./open-documents.ts";

export type ConnectionStatus = "connected" | "connecting" | "disconnected";

const emptyOutbox: Outbox = { pending: 0, bytes: 0, oldestMs: undefined };

/** Where the connection to the relay stands. */
export function useStatus(document: OpenDocument | undefined): ConnectionStatus {
  return useProvider(document, "sync-status", statusOf, "disconnected");
}

/** Whether the first exchange with the relay is done, in this connection. */
export function useSynced(document: OpenDocument | undefined): boolean {
  return useProvider(document, "sync", ({ provider }) => provider.synced, false);
}

/** What an edit that was made here survives; `false` while one of them is not on this device. */
export function useSaved(document: OpenDocument | undefined): Saved {
  return useProvider(document, "saved", ({ provider }) => provider.saved, false);
}

/** What was typed here and is on no relay yet. */
export function useOutbox(document: OpenDocument | undefined): Outbox {
  const last = useRef(emptyOutbox);
  const read = useCallback(({ provider }: OpenDocument): Outbox => {
    const { outbox } = provider;
    const { pending, bytes, oldestMs } = last.current;
    const isSame =
      outbox.pending === pending && outbox.bytes === bytes && outbox.oldestMs === oldestMs;
    // The same object while nothing has changed, or React would render for ever.
    if (!isSame) last.current = outbox;
    return last.current;
  }, []);
  return useProvider(document, "outbox", read, emptyOutbox);
}

function statusOf({ provider }: OpenDocument): ConnectionStatus {
  if (provider.wsconnected) return "connected";
  return provider.wsconnecting ? "connecting" : "disconnected";
}

function useProvider<Value>(
  document: OpenDocument | undefined,
  event: keyof HeddleProviderEvents,
  read: (document: OpenDocument) => Value,
  otherwise: Value,
): Value {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (document === undefined) return () => undefined;
      document.provider.on(event, listener);
      return () => document.provider.off(event, listener);
    },
    [document, event],
  );
  const now = (): Value => (document ? read(document) : otherwise);
  return useSyncExternalStore(subscribe, now, () => otherwise);
}
