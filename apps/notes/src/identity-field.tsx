import { useState } from "react";
import { Avatar } from "./avatar.tsx";
import { personNameLengthMax, type Person } from "./person.ts";

export interface IdentityFieldProps {
  readonly person: Person;
  readonly onRename: (name: string) => void;
}

/** The name others see. An empty field is allowed while typing, and never becomes the name. */
export function IdentityField({ person, onRename }: IdentityFieldProps) {
  const [draft, setDraft] = useState<string>();
  const change = (text: string) => {
    setDraft(text);
    if (text.trim() !== "") onRename(text.trim());
  };
  return (
    <div className="identity">
      <Avatar person={person} />
      <label>
        <span className="identity-label">You write as</span>
        <input
          value={draft ?? person.name}
          maxLength={personNameLengthMax}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => change(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
          }}
          onBlur={() => setDraft(undefined)}
        />
      </label>
    </div>
  );
}
