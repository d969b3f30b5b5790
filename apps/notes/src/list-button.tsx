/** Opens the list where there is no room for it beside the note. */
export function ListButton({ onClick }: { readonly onClick: () => void }) {
  return (
    <button
      className="icon-button only-narrow"
      aria-label="Show all notes"
      aria-controls="sidebar"
      onClick={onClick}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <path d="M3 5.5h14M3 10h14M3 14.5h9" />
      </svg>
    </button>
  );
}
