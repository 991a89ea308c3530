import type { JsonObject, JsonValue } from '../../../src/bytes/index.ts';
import { Value } from './value.tsx';
import { visible } from './visible.ts';

/** What changed: the value before, struck in red, and the value after, in green; and in words for who sees neither. */
export function Changes({ changes }: { changes: readonly JsonValue[] }) {
  return (
    <ul className="changes">
      {changes.map((change, position) => {
        const { path, from, to } = (change ?? {}) as JsonObject;
        return (
          <li key={position}>
            <code className="path">{typeof path === 'string' ? visible(path) : '?'}</code>
            {from !== undefined && (
              <del>
                <span className="visually-hidden">before: </span>
                <Value value={from} />
              </del>
            )}
            {to !== undefined && (
              <ins>
                <span className="visually-hidden">after: </span>
                <Value value={to} />
              </ins>
            )}
          </li>
        );
      })}
    </ul>
  );
}
