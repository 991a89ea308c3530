/** The mark: a leaf, and a tree that leads to it. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" className="mark">
      <rect width="32" height="32" rx="8" />
      <path d="M16 7v6M16 13l-6 5M16 13l6 5M10 18v6M22 18v6" />
    </svg>
  );
}
