import { useEffect, useRef } from "react";

export interface NoteTitleProps {
  readonly title: string;
  readonly isReadOnly: boolean;
  readonly hasFocusFirst: boolean;
  readonly onRename: (title: string) => void;
  /** Enter or arrow down: on to the text. */
  readonly onDone: () => void;
}

const titleLengthMax = 120;

export function NoteTitle({ title, isReadOnly, hasFocusFirst, onRename, onDone }: NoteTitleProps) {
  const inputRef = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (hasFocusFirst) inputRef.current?.focus();
  }, [hasFocusFirst]);
  useEffect(() => {
    document.title = `${title.trim() || "Untitled note"} · heddle notes`;
  }, [title]);
  return (
    <input
      ref={inputRef}
      className="note-title"
      aria-label="Title of the note"
      placeholder="Untitled note"
      value={title}
      maxLength={titleLengthMax}
      readOnly={isReadOnly}
      autoComplete="off"
      onChange={(event) => onRename(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== "ArrowDown") return;
        event.preventDefault();
        onDone();
      }}
    />
  );
}
