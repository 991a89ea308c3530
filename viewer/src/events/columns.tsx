import { createColumnHelper, tableFeatures } from '@tanstack/react-table';
import type { RecordedTarget } from '../../../src/event/index.ts';
import { ErasedBadge } from '../drawer/erasures.tsx';
import type { ShownEvent } from '../shell/log-proof.ts';
import { When } from '../shell/parts.tsx';
import { Badge } from './badge.tsx';

/** The table asks for no feature: sorting, filtering and paging are the server's. */
export const features = tableFeatures({});
const helper = createColumnHelper<typeof features, ShownEvent>();

/** Times of the two clocks that lie further apart than this are both shown. */
const SKEW_SHOWN_MS = 60_000;

/** The columns of the list, in the order in which they are read. */
export const columns = helper.columns([
  helper.display({ id: 'when', header: 'When', cell: ({ row }) => <WhenCell shown={row.original} /> }),
  helper.display({ id: 'who', header: 'Who', cell: ({ row }) => <WhoCell shown={row.original} /> }),
  helper.display({ id: 'action', header: 'Action', cell: ({ row }) => <ActionCell shown={row.original} /> }),
  helper.display({
    id: 'targets',
    header: 'Targets',
    cell: ({ row }) => <TargetsCell shown={row.original} />,
  }),
  helper.display({
    id: 'outcome',
    header: 'Outcome',
    cell: ({ row }) => <OutcomeCell shown={row.original} />,
  }),
  helper.display({
    id: 'proof',
    header: 'Proof',
    cell: ({ row }) => <Badge verdict={row.original.verdict} index={row.original.index} />,
  }),
]);

function WhenCell({ shown: { event, index } }: { shown: ShownEvent }) {
  if (event === undefined) return <span className="muted">index {index}</span>;
  const skew = Math.abs(new Date(event.recordedAt).getTime() - new Date(event.occurredAt).getTime());
  return (
    <>
      <When time={event.occurredAt} />
      {skew > SKEW_SHOWN_MS && (
        <span className="second-line">
          recorded <When time={event.recordedAt} />
        </span>
      )}
    </>
  );
}

function WhoCell({ shown: { event } }: { shown: ShownEvent }) {
  if (event === undefined) return <span className="muted">cannot be read</span>;
  const { actor, context } = event;
  const ip = typeof context?.ip === 'string' ? context.ip : undefined;
  const under = [
    actor.onBehalfOf && `for ${nameOf(actor.onBehalfOf)}`,
    nameOf(actor) === actor.id ? undefined : actor.id,
    ip,
  ].filter(Boolean);
  return (
    <>
      <span className="first-line">{nameOf(actor)}</span>
      {under.length > 0 && <span className="second-line mono">{under.join(' · ')}</span>}
    </>
  );
}

function ActionCell({ shown }: { shown: ShownEvent }) {
  const { event } = shown;
  if (event === undefined) return null;
  return (
    <>
      <code className="action">{event.action}</code>
      <ErasedBadge shown={shown} />
    </>
  );
}

function TargetsCell({ shown: { event } }: { shown: ShownEvent }) {
  const [first, ...rest] = event?.targets ?? [];
  if (first === undefined) return <span className="muted">—</span>;
  return (
    <>
      <span className="first-line">
        {nameOf(first)}
        {rest.length > 0 && <span className="muted"> +{rest.length}</span>}
      </span>
      <span className="second-line mono">
        {first.type}
        {nameOf(first) === first.id ? '' : `/${first.id}`}
      </span>
    </>
  );
}

function OutcomeCell({ shown: { event } }: { shown: ShownEvent }) {
  if (event === undefined) return null;
  const { outcome, severity } = event;
  const isLoud = severity === 'high' || severity === 'critical';
  return (
    <>
      <span className={`outcome ${outcome}`}>{outcome}</span>
      {isLoud && <span className={`second-line severity ${severity}`}>{severity}</span>}
    </>
  );
}

/** What people call a person or thing: its name, where that may be seen, else its id. */
export function nameOf(party: RecordedTarget): string {
  const name = Object.hasOwn(party, 'name') ? party['name'] : undefined;
  return typeof name === 'string' && name.trim() !== '' ? name : party.id;
}

/** Which rail stands in front of a row, if any. */
export function railOf({ event, verdict }: ShownEvent): 'broken' | 'critical' | 'high' | 'denied' | '' {
  if (verdict.state === 'broken') return 'broken';
  if (event?.severity === 'critical' || event?.severity === 'high') return event.severity;
  return event?.outcome === 'denied' ? 'denied' : '';
}
