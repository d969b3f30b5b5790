/** Somebody shown on the page: a name and one of {@link personHueCount} colours, styled in people.css. */
export interface Person {
  readonly name: string;
  readonly hue: number;
}

export const personNameLengthMax = 40;

/** In the order of `.person-0` to `.person-7`. Other Yjs editors in the same note paint us in these. */
const colours = [
  "#0f766e",
  "#b45309",
  "#be185d",
  "#4338ca",
  "#4d7c0f",
  "#7e22ce",
  "#0369a1",
  "#b91c1c",
];
export const personHueCount = colours.length;

/** The `user` field that Yjs editor bindings agree on. */
export function awarenessUser(person: Person): { name: string; color: string; colorLight: string } {
  const color = colours[person.hue % personHueCount] ?? "#0f766e";
  return { name: person.name, color, colorLight: `${color}33` };
}

/**
 * Reads what a peer says about itself. Its colour only chooses among ours: a colour taken as it comes would be
 * a peer's text in our style sheet.
 */
export function readPerson(
  clientId: number,
  state: Readonly<Record<string, unknown>>,
): Person | undefined {
  const user = state["user"];
  if (typeof user !== "object" || user === null) return undefined;
  const { name, color } = user as { name?: unknown; color?: unknown };
  const hue = typeof color === "string" ? colours.indexOf(color) : -1;
  return {
    name: (typeof name === "string" ? name.trim().slice(0, personNameLengthMax) : "") || "Somebody",
    hue: hue === -1 ? clientId % personHueCount : hue,
  };
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map(
    (word) => [...(word ?? "")][0] ?? "",
  );
  return letters.join("").toUpperCase() || "?";
}
