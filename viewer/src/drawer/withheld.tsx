import { judge } from '../../../src/event/index.ts';
import type { ShownEvent } from '../shell/log-proof.ts';
import { useErasures } from './erasures.tsx';
import { visible } from './visible.ts';

/** Sealed values that are not here, each with its reason: erased on record, or not handed over. */
export function WithheldValues({ shown }: { shown: ShownEvent }) {
  const missing = shown.fields.filter((field) => field.disclosure === undefined);
  const erasures = useErasures(missing.length > 0);
  if (missing.length === 0) return null;
  return (
    <ul className="withheld">
      {missing.map((field) => {
        const isErased = judge(field, erasures ?? []) === 'erased';
        return (
          <li key={field.digest}>
            <code>{visible(field.name === undefined ? `${field.path}/…` : field.path)}</code>{' '}
            <span className={isErased ? 'badge erased' : 'badge missing'}>
              {isErased ? 'Erased with record' : 'Not shown to you, or missing'}
            </span>
            <p className="muted small">
              {isErased
                ? `Removed with a record of it${field.subjects.length > 0 ? `; it belonged to ${field.subjects.join(', ')}` : ''}. The entry and its proof still hold.`
                : 'Its digest is in the entry; the value did not come with it, and no record of an erasure or of retention covers it.'}
            </p>
          </li>
        );
      })}
    </ul>
  );
}
