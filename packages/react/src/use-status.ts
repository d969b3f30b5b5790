import type { HeddleProviderEvents, Outbox, Saved } from "@heddle/client";
import { useCallback, useRef, useSyncExternalStore } from "react";

import { troubleOf, type OpenDocument } from "./open-documents.ts";
import type { Trouble } from "./trouble.ts";

/** As the `status` event of a provider says it. */
export type ConnectionStatus = "connected" | "connecting" | "disconnected";

const emptyOutbox: Outbox = { pending: 0, bytes: 0, oldestMs: undefined };

/** Where the connection to the relay stands. */
export function useStatus(document: OpenDocument | undefined): ConnectionStatus {
  return useProvider(document, "status", statusOf, "disconnected");
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

/**
 * What a person should know of this document: the last trouble that it had, `undefined` when there was none.
 * One that passes by itself (`suspended`) goes when all is saved again; others stay until the document is
 * opened anew.
 */
export function useTrouble(document: OpenDocument | undefined): Trouble | undefined {
  const watch = document && troubleOf(document);
  const subscribe = useCallback(
    (listener: () => void) => watch?.listen(listener) ?? (() => undefined),
    [watch],
  );
  return useSyncExternalStore(
    subscribe,
    () => watch?.last,
    () => undefined,
  );
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
