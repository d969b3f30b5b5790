import { initials, type Person } from "./person.ts";

/** Decoration: whoever shows it says the name in words as well. */
export function Avatar({ person }: { readonly person: Person }) {
  return (
    <span className={`avatar person-${person.hue}`} aria-hidden="true">
      {initials(person.name)}
    </span>
  );
}
