import { useQuery } from '@tanstack/react-query';
import { base64Decode } from '../../../src/bytes/index.ts';
import { type Erasure, erasureOf, judge, parseEntry } from '../../../src/event/index.ts';
import { useViewer } from '../shell/context.tsx';
import type { ShownEvent } from '../shell/log-proof.ts';
import { visible } from './visible.ts';

/** Sealed values that are not here, each with its reason: erased on record, or not handed over. */
export function WithheldValues({ shown }: { shown: ShownEvent }) {
  const { api, proof } = useViewer();
  const missing = shown.fields.filter((field) => field.disclosure === undefined);
  const { data: erasures } = useQuery({
    queryKey: ['erasures', proof.log],
    queryFn: async ({ signal }) => {
      const page = await api.events(proof.log, { q: 'action:log.erased', limit: 100 }, signal);
      const shownErasures = page.events.map((event) => proof.shown(event));
      await proof.check(shownErasures);
      // A record counts only where this page has found it in the signed tree.
      return page.events.map((event) => proof.shown(event)).flatMap(recordOf);
    },
    enabled: missing.length > 0,
  });
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
                ? `Erased for ${field.subjects.join(', ')}. The entry and its proof still hold.`
                : 'Its digest is in the entry; the value did not come with it, and no erasure on record covers it.'}
            </p>
          </li>
        );
      })}
    </ul>
  );
}

function recordOf({ row, verdict }: ShownEvent): Erasure[] {
  if (row === undefined || verdict.state !== 'sealed') return [];
  try {
    return [erasureOf(parseEntry(base64Decode(row.entry)))];
  } catch {
    return [];
  }
}
