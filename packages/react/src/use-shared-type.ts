import { useCallback, useSyncExternalStore } from "react";
import type * as Y from "yjs";

import type { OpenDocument } from "./open-documents.ts";

/**
 * A text of the document; the component is rendered again after each change of it. It is the same object all
 * the time: what is computed from it and remembered (`useMemo`, `memo`, React Compiler) takes {@link useContent}.
 */
export function useText(document: OpenDocument | undefined, name: string): Y.Text | undefined {
  return useShared(document?.ydoc.getText(name));
}

/** A map of the document; the component is rendered again after each change in it. As {@link useText}. */
export function useMap<Value = unknown>(
  document: OpenDocument | undefined,
  name: string,
): Y.Map<Value> | undefined {
  return useShared(document?.ydoc.getMap<Value>(name));
}

/** An array of the document; the component is rendered again after each change in it. As {@link useText}. */
export function useArray<Value = unknown>(
  document: OpenDocument | undefined,
  name: string,
): Y.Array<Value> | undefined {
  return useShared(document?.ydoc.getArray<Value>(name));
}

/**
 * What a shared type holds, as plain data (`toJSON()`): the same object until something in it changes, and
 * another one then. For `memo`, `useMemo` and React Compiler, which compare what they depend on.
 */
export function useContent<Content>(
  shared: { toJSON(): Content } | undefined,
): Content | undefined {
  const type = shared as (Deep & { toJSON(): Content }) | undefined;
  useShared(type);
  return type && (versionsOf(type).content() as Content);
}

type Deep = Pick<Y.Map<unknown>, "observeDeep"> & { toJSON(): unknown };

/** What Yjs holds changes in place: a number stands for its versions, and is the same for all who look. */
function useShared<Type extends Deep>(shared: Type | undefined): Type | undefined {
  const subscribe = useCallback(
    (listener: () => void) => (shared ? versionsOf(shared).listen(listener) : () => undefined),
    [shared],
  );
  const version = (): number => (shared ? versionsOf(shared).version : 0);
  useSyncExternalStore(subscribe, version, () => 0);
  return shared;
}

/** Counts the changes of one shared type from the first rendering on, so that none falls before the effects. */
class Versions {
  version = 0;
  readonly #shared: Deep;
  readonly #listeners = new Set<() => void>();
  #content: { readonly version: number; readonly value: unknown } | undefined;

  constructor(shared: Deep) {
    this.#shared = shared;
    // For as long as the document lives: there is one of it, however many components come and go.
    shared.observeDeep(() => {
      this.version++;
      for (const listener of this.#listeners) listener();
    });
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  content(): unknown {
    const { version } = this;
    if (this.#content?.version !== version) {
      this.#content = { version, value: this.#shared.toJSON() };
    }
    return this.#content!.value;
  }
}

const known = new WeakMap<Deep, Versions>();

function versionsOf(shared: Deep): Versions {
  const versions = known.get(shared) ?? new Versions(shared);
  known.set(shared, versions);
  return versions;
}
