import type { JsonValue } from '../../../src/bytes/index.ts';

/** A value as text: JSON, so that "1" and 1 differ. Always text, never markup or a link. */
export function Value({ value }: { value: JsonValue | undefined }) {
  if (value === undefined) return <span className="muted">absent</span>;
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    return <pre className="json">{JSON.stringify(value, null, 2)}</pre>;
  }
  return <code className="value">{typeof value === 'string' ? visible(value) : JSON.stringify(value)}</code>;
}

/** Marks that turn the direction of text, or have no width, shown as what they are. */
const hidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text that shows everything that is in it. */
export function visible(text: string): string {
  const code = (mark: string): string => mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return text.replaceAll(hidden, (mark) => `⟨U+${code(mark)}⟩`);
}

/** Names and values, one pair a line. */
export function Pairs({ pairs }: { pairs: readonly (readonly [string, JsonValue | undefined])[] }) {
  return (
    <dl className="pairs">
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt>{visible(name)}</dt>
          <dd>
            <Value value={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
