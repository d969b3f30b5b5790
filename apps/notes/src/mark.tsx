/** The sign of the project: two warp threads held by a heddle, the weft passing over and under. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M10 7v18M22 7v18M6.5 12.5h3M13.5 12.5h12M6.5 19.5h12M22.5 19.5h3" />
    </svg>
  );
}
