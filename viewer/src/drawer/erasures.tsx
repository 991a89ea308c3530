import { useQuery } from '@tanstack/react-query';
import { base64Decode } from '../../../src/bytes/index.ts';
import { judge, parseEntry, type Removal, removalActions, removalOf } from '../../../src/event/index.ts';
import { useViewer } from '../shell/context.tsx';
import type { ShownEvent } from '../shell/log-proof.ts';

/** What finds every record of why values are not there. */
const RECORDS = removalActions.map((action) => `action:${action}`).join(' OR ');

/** The records of erasures and of retention in this log that this page has found in the signed tree; asked for where something is missing. */
export function useErasures(isWanted: boolean): readonly Removal[] | undefined {
  const { api, proof } = useViewer();
  const { data } = useQuery({
    queryKey: ['erasures', proof.log],
    queryFn: async ({ signal }) => {
      const page = await api.events(proof.log, { q: RECORDS, limit: 100 }, signal);
      const shownErasures = page.events.map((event) => proof.shown(event));
      await proof.check(shownErasures);
      // A record counts only where this page has found it in the signed tree.
      return page.events.map((event) => proof.shown(event)).flatMap(recordOf);
    },
    enabled: isWanted,
  });
  return data;
}

/** Says of an event in a list that values of it were erased, as a record in the signed tree has it. */
export function ErasedBadge({ shown }: { shown: ShownEvent }) {
  const missing = shown.fields.filter((field) => field.disclosure === undefined);
  const erasures = useErasures(missing.length > 0);
  if (!missing.some((field) => judge(field, erasures ?? []) === 'erased')) return null;
  return (
    <span className="badge erased" title="Values of this event were erased, with a record of it">
      erased
    </span>
  );
}

function recordOf({ row, verdict }: ShownEvent): Removal[] {
  if (row === undefined || verdict.state !== 'sealed') return [];
  try {
    return [removalOf(parseEntry(base64Decode(row.entry)), row.index)];
  } catch {
    return [];
  }
}
