import type { JsonValue } from '../../../src/bytes/index.ts';
import { visible } from './visible.ts';

/** A value as text: JSON, so that "1" and 1 differ. Always text, never markup or a link. */
export function Value({ value }: { value: JsonValue | undefined }) {
  if (value === undefined) return <span className="muted">absent</span>;
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    return <pre className="json">{JSON.stringify(value, null, 2)}</pre>;
  }
  return <code className="value">{typeof value === 'string' ? visible(value) : JSON.stringify(value)}</code>;
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
