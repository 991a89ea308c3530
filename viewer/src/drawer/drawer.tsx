import { useQuery } from '@tanstack/react-query';
import { type ReactNode, type RefObject, useEffect, useMemo, useRef } from 'react';
import { base64Decode, type JsonValue, parseJson, utf8Decode } from '../../../src/bytes/index.ts';
import type { RecordedEvent, RecordedTarget } from '../../../src/event/index.ts';
import { Badge } from '../events/badge.tsx';
import { nameOf, railOf } from '../events/columns.tsx';
import { useProofState, useViewer } from '../shell/context.tsx';
import { formatAbsolute } from '../shell/format.ts';
import type { ShownEvent } from '../shell/log-proof.ts';
import { CopyButton, Failure, When } from '../shell/parts.tsx';
import { useRoute } from '../shell/route.ts';
import { useVerify } from '../shell/use-verify.ts';
import { Changes } from './changes.tsx';
import { ProofPanel } from './proof-panel.tsx';
import { linkOf, type Piece, sentenceOf } from './sentence.ts';
import { Pairs, Value } from './value.tsx';
import { visible } from './visible.ts';
import { WithheldValues } from './withheld.tsx';

/** One event beside the list: the sentence, what changed, the context, the proof, and the raw entry last. */
export function Drawer({
  id,
  known,
  onStep,
  onClose,
}: {
  id: string;
  /** The event, where the list has it already. */
  known: ShownEvent | undefined;
  onStep: ((step: 1 | -1) => void) | undefined;
  onClose: () => void;
}) {
  const shown = useShown(id, known);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    panel.current?.scrollTo(0, 0);
  }, [id]);
  useFocusWithin(panel);
  return (
    <aside ref={panel} className="drawer" aria-label="Event" tabIndex={-1}>
      <DrawerBar {...{ id, onStep, onClose }} />
      {shown.error !== null && shown.event === undefined && <Failure error={shown.error} />}
      {shown.isPending && <p className="muted pad">Loading…</p>}
      {shown.event !== undefined && <EventView shown={shown.event} />}
    </aside>
  );
}

/** Takes the focus while the drawer is open, and gives it back to where it was. */
function useFocusWithin(panel: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const scope = panel.current?.getRootNode();
    const before = scope instanceof Document || scope instanceof ShadowRoot ? scope.activeElement : null;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, [panel]);
}

/** The event from the list, or asked for by its id; checked either way. */
function useShown(id: string, known: ShownEvent | undefined) {
  const { api, proof } = useViewer();
  const state = useProofState();
  const { data, error, isPending } = useQuery({
    queryKey: ['event', proof.log, id],
    queryFn: ({ signal }) => api.event(proof.log, id, signal),
    enabled: known === undefined,
  });
  const event = useMemo(
    () => known ?? (data === undefined ? undefined : proof.shown(data)),
    [known, data, proof, state],
  );
  useEffect(() => {
    if (event !== undefined) void proof.check([event]);
  }, [event, proof]);
  return { event, error, isPending: isPending && known === undefined };
}

function DrawerBar({
  id,
  onStep,
  onClose,
}: {
  id: string;
  onStep: ((step: 1 | -1) => void) | undefined;
  onClose: () => void;
}) {
  const { href } = useRoute();
  const link = href({ event: id });
  return (
    <div className="drawer-bar">
      {onStep && (
        <>
          <button type="button" className="quiet" onClick={() => onStep(-1)} aria-label="Newer event (k)">
            ↑
          </button>
          <button type="button" className="quiet" onClick={() => onStep(1)} aria-label="Older event (j)">
            ↓
          </button>
        </>
      )}
      <span className="grow" />
      {link !== undefined && (
        <CopyButton
          text={new URL(link, document.baseURI).href}
          label="that leads to this event"
          words="Copy link"
        />
      )}
      <button type="button" className="quiet" onClick={onClose} aria-label="Close (Esc)">
        ✕
      </button>
    </div>
  );
}

function EventView({ shown }: { shown: ShownEvent }) {
  const { event, verdict, index } = shown;
  const verify = useVerify();
  if (event === undefined) {
    return (
      <div className="drawer-body">
        <h2 className="sentence">This entry cannot be read.</h2>
        <Badge verdict={verdict} index={index} isLong />
        <Part title="Proof">
          <ProofPanel {...{ shown, verify }} />
        </Part>
      </div>
    );
  }
  return (
    <div className={`drawer-body ${railOf(shown)}`}>
      <h2 className="sentence" aria-live="polite">
        {sentenceOf(event).map((piece, position) => (
          <SentencePiece key={position} piece={piece} />
        ))}
      </h2>
      <p className="facts">
        <Badge verdict={verdict} index={index} isLong />
        <span>
          <When time={event.occurredAt} />
        </span>
        <code className="action">{event.action}</code>
        <span className={`outcome ${event.outcome}`}>{event.outcome}</span>
        {event.severity && <span className={`severity ${event.severity}`}>{event.severity}</span>}
      </p>
      {verdict.state === 'broken' && (
        <p className="alarm" role="alert">
          <strong>Broken at index {index}.</strong> {verdict.message} Do not rely on anything below.
        </p>
      )}
      <EventParts event={event} />
      <WithheldPart shown={shown} />
      <Part title="Proof">
        <ProofPanel {...{ shown, verify }} />
      </Part>
      <RawPart shown={shown} />
    </div>
  );
}

function EventParts({ event }: { event: RecordedEvent }) {
  return (
    <>
      {event.reason !== undefined && (
        <Part title="Reason">
          <blockquote>{visible(event.reason)}</blockquote>
        </Part>
      )}
      {event.error !== undefined && (
        <Part title="Error">
          <Pairs pairs={Object.entries(event.error)} />
        </Part>
      )}
      {event.changes !== undefined && event.changes.length > 0 && (
        <Part title="Changes">
          <Changes changes={event.changes} />
        </Part>
      )}
      <Part title="Who and what">
        <Party party={event.actor} title="Actor" field="actor" />
        {event.actor.onBehalfOf && (
          <Party party={event.actor.onBehalfOf} title="On behalf of" field="actor" />
        )}
        {event.targets.map((target) => (
          <Party key={`${target.type}/${target.id}`} party={target} title="Target" field="target" />
        ))}
      </Part>
      <Part title="Context">
        <Pairs pairs={contextPairs(event)} />
      </Part>
      {event.metadata !== undefined && (
        <Part title="Metadata">
          <Value value={event.metadata} />
        </Part>
      )}
    </>
  );
}

function contextPairs(event: RecordedEvent): [string, JsonValue | undefined][] {
  const { source, context, labels, correlationId, causationId } = event;
  const pairs: [string, JsonValue | undefined][] = [
    ['Occurred', formatAbsolute(event.occurredAt)],
    ['Recorded', formatAbsolute(event.recordedAt)],
    ...Object.entries(context ?? {}),
    ...Object.entries(labels ?? {}).map(([name, value]): [string, JsonValue] => [`label ${name}`, value]),
    ['Correlation', correlationId],
    ['Cause', causationId],
    ['Source', `${source.service} · ${source.instance} · ${source.seq ?? 'no sequence'}`],
    ['Credential', source.credential],
    ...Object.entries(event.unknown ?? {}),
  ];
  return pairs.filter(([, value]) => value !== undefined);
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function WithheldPart({ shown }: { shown: ShownEvent }) {
  if (shown.fields.every((field) => field.disclosure !== undefined)) return null;
  return (
    <Part title="Sealed away">
      <WithheldValues shown={shown} />
    </Part>
  );
}

function SentencePiece({ piece }: { piece: Piece }) {
  if (typeof piece === 'string') return <>{visible(piece)}</>;
  const link = linkOf(piece.party);
  const name = visible(nameOf(piece.party));
  if (link === undefined) return <strong>{name}</strong>;
  return (
    <a href={link} target="_blank" rel="noopener noreferrer">
      {name}
    </a>
  );
}

/** Somebody or something in the event, with the ways on from here. */
function Party({ party, title, field }: { party: RecordedTarget; title: string; field: 'actor' | 'target' }) {
  const { go } = useRoute();
  const { type, id, ...attributes } = party;
  const subject = `${type}/${id}`;
  const pairs = Object.entries(attributes).filter(([name]) => name !== 'onBehalfOf');
  return (
    <div className="party">
      <p>
        <span className="muted">{title}</span> <code>{visible(subject)}</code>
      </p>
      <Pairs pairs={pairs as [string, JsonValue][]} />
      <p className="actions">
        <button
          type="button"
          className="quiet"
          onClick={() => go({ screen: 'entity', entity: subject, side: 'both', q: '', event: undefined })}
        >
          Timeline
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => go({ screen: 'events', q: `${field}:${quoted(subject)}`, entity: undefined })}
        >
          {field === 'actor' ? 'All it did' : 'All done to it'}
        </button>
      </p>
    </div>
  );
}

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function RawPart({ shown: { row, event, index } }: { shown: ShownEvent }) {
  const raw =
    row === undefined ? JSON.stringify(event, null, 2) : pretty(utf8Decode(base64Decode(row.entry)));
  return (
    <details className="part">
      <summary>Raw entry, index {index}</summary>
      <pre className="json">{visible(raw)}</pre>
      {row !== undefined && row.disclosures.length > 0 && (
        <>
          <h4>Disclosures</h4>
          <pre className="json">{visible(row.disclosures.join('\n'))}</pre>
        </>
      )}
      {row !== undefined && <CopyButton text={utf8Decode(base64Decode(row.entry))} label="the exact entry" />}
    </details>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(parseJson(text), null, 2);
  } catch {
    return text;
  }
}
