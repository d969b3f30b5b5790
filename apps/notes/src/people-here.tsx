import type { Awareness } from "y-protocols/awareness";
import { Avatar } from "./avatar.tsx";
import type { Person } from "./person.ts";
import { useOthers } from "./use-people.ts";

const shownMax = 4;

/** Who has this note open, ourselves first. */
export function PeopleHere({
  awareness,
  person,
}: {
  readonly awareness: Awareness;
  readonly person: Person;
}) {
  const others = useOthers(awareness);
  const hidden = others.slice(shownMax);
  return (
    <ul className="people" aria-label="People in this note">
      <PersonHere label={`${person.name} (you)`} person={person} />
      {others.slice(0, shownMax).map((other) => (
        <PersonHere key={other.clientId} label={other.name} person={other} />
      ))}
      {hidden.length > 0 ? (
        <li title={hidden.map(({ name }) => name).join(", ")}>
          <span className="avatar avatar-more">+{hidden.length}</span>
        </li>
      ) : null}
    </ul>
  );
}

function PersonHere({ label, person }: { readonly label: string; readonly person: Person }) {
  return (
    <li title={label}>
      <Avatar person={person} />
      <span className="visually-hidden">{label}</span>
    </li>
  );
}
