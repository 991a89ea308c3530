import type { RowVerdict } from '../proof/index.ts';

const marks = {
  sealed: { text: 'Sealed', path: 'M3.5 8.5l3 3 6-7' },
  pending: { text: 'Pending', path: 'M8 4v4.2l2.6 1.6' },
  broken: { text: 'Broken', path: 'M4 4l8 8M12 4l-8 8' },
  unchecked: { text: 'Not checked', path: 'M4 8h8' },
} as const;

/** What this page has found of a row: never what the server says of itself. */
export function Badge({ verdict, index, isLong }: { verdict: RowVerdict; index: number; isLong?: boolean }) {
  const { text, path } = marks[verdict.state];
  const words = verdict.state === 'broken' ? `Broken at index ${index}` : text;
  return (
    <span className={`badge ${verdict.state}`} title={`${words}: ${explain(verdict)}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={path} />
      </svg>
      <span className={isLong ? '' : verdict.state === 'broken' ? 'brief' : 'visually-hidden'}>{words}</span>
    </span>
  );
}

/** A verdict in a sentence. */
export function explain(verdict: RowVerdict): string {
  switch (verdict.state) {
    case 'sealed':
      return `this browser found these bytes in the signed tree of ${verdict.size} entries.`;
    case 'pending':
      return 'no signed checkpoint covers it yet, or the check is under way.';
    default:
      return verdict.message;
  }
}
