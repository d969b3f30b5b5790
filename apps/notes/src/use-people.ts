import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { Awareness } from "y-protocols/awareness";
import type { Identity } from "./identity.ts";
import { awarenessUser, personHueCount, readPerson, type Person } from "./person.ts";

export interface PresentPerson extends Person {
  readonly clientId: number;
}

/** Everybody else in the document, in a stable order. */
export function useOthers(awareness: Awareness): readonly PresentPerson[] {
  // A string is compared by value: carets that move change the awareness, but not who is here.
  const snapshot = useSyncExternalStore(
    (listener) => {
      awareness.on("change", listener);
      return () => awareness.off("change", listener);
    },
    () => JSON.stringify(others(awareness)),
  );
  return useMemo(() => JSON.parse(snapshot) as PresentPerson[], [snapshot]);
}

/** Tells the others in the document who writes in this window, in a colour of its own while there is one. */
export function usePresence(awareness: Awareness, { person, recolour }: Identity): void {
  const others = useOthers(awareness);
  useEffect(() => {
    awareness.setLocalStateField("user", awarenessUser(person));
  }, [awareness, person]);
  useEffect(() => {
    const taken = new Set(others.map(({ hue }) => hue));
    // The lower client id keeps its colour: both sides see the same ids, so only one of two gives way.
    const givesWay = others.some(
      ({ hue, clientId }) => hue === person.hue && clientId < awareness.clientID,
    );
    const free = Array.from({ length: personHueCount }, (_, hue) => hue).find(
      (hue) => !taken.has(hue),
    );
    if (givesWay && free !== undefined) recolour(free);
  }, [awareness, others, person.hue, recolour]);
}

function others(awareness: Awareness): PresentPerson[] {
  const present: PresentPerson[] = [];
  for (const [clientId, state] of awareness.getStates()) {
    const person = clientId === awareness.clientID ? undefined : readPerson(clientId, state);
    if (person !== undefined) present.push({ clientId, ...person });
  }
  return present.toSorted((a, b) => a.clientId - b.clientId);
}
