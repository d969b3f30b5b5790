import { useCallback, useEffect, useState } from "react";
import { friendlyName } from "./friendly-name.ts";
import { personHueCount, type Person } from "./person.ts";

export interface Identity {
  readonly person: Person;
  readonly rename: (name: string) => void;
  readonly recolour: (hue: number) => void;
}

const hueKey = "heddle.notes.hue";
const nameKey = "heddle.notes.name";

/**
 * Who this window writes as. Two windows are two writers, so name and colour live in the session; a name that was
 * chosen, not generated, is also remembered for the windows to come.
 */
export function useIdentity(): Identity {
  const [person, setPerson] = useState(loadIdentity);
  useEffect(() => {
    store("sessionStorage", hueKey, String(person.hue));
    store("sessionStorage", nameKey, person.name);
  }, [person]);
  const rename = (name: string) => {
    store("localStorage", nameKey, name);
    setPerson((before) => ({ ...before, name }));
  };
  const recolour = useCallback((hue: number) => setPerson((before) => ({ ...before, hue })), []);
  return { person, rename, recolour };
}

function loadIdentity(): Person {
  const name =
    recall("sessionStorage", nameKey) ?? recall("localStorage", nameKey) ?? friendlyName();
  const hue = Number(
    recall("sessionStorage", hueKey) ?? Math.floor(Math.random() * personHueCount),
  );
  return { name, hue: Number.isInteger(hue) && hue >= 0 ? hue % personHueCount : 0 };
}

function recall(area: "localStorage" | "sessionStorage", key: string): string | undefined {
  try {
    return globalThis[area].getItem(key) ?? undefined;
  } catch {
    return undefined; // Storage is blocked: the name lasts as long as the page.
  }
}

function store(area: "localStorage" | "sessionStorage", key: string, value: string): void {
  try {
    globalThis[area].setItem(key, value);
  } catch {
    // Blocked or full, see above.
  }
}
