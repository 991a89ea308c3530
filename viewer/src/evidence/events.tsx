import { Fragment, useDeferredValue, useEffect, useMemo, useState } from 'react';
import { flushSync } from 'react-dom';
import { base64Encode, type JsonValue, utf8Decode } from '../../../src/bytes/index.ts';
import type { RecordedTarget } from '../../../src/event/index.ts';
import { hashLeaf } from '../../../src/merkle/index.ts';
import { Changes } from '../drawer/changes.tsx';
import { sentenceOf } from '../drawer/sentence.ts';
import { Pairs } from '../drawer/value.tsx';
import { visible } from '../drawer/visible.ts';
import type { Checked, Shown } from './check.ts';

/** Rows that are drawn at once; more are asked for. */
const ROWS = 200;

/** The entries: a search, and a table that opens each of them. */
export function Events({ checked }: { checked: Checked }) {
  const [words, setWords] = useState('');
  const [withSupport, setWithSupport] = useState(false);
  const [rows, setRows] = useState(ROWS);
  const isPrinting = usePrinting();
  const search = useDeferredValue(words.trim().toLowerCase());
  const found = useMemo(() => {
    const terms = search.split(/\s+/).filter((term) => term !== '');
    return checked.shown.filter(
      ({ text, isSupport }) => (withSupport || !isSupport) && terms.every((term) => text.includes(term)),
    );
  }, [checked, search, withSupport]);
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <div className="search">
        <label htmlFor="search">Search</label>
        <input
          id="search"
          type="search"
          value={words}
          onChange={(event) => {
            setWords(event.target.value);
            setRows(ROWS);
          }}
        />
        <label>
          <input
            type="checkbox"
            checked={withSupport}
            onChange={(event) => setWithSupport(event.target.checked)}
          />{' '}
          entries in support
        </label>
        <output>{found.length} events</output>
      </div>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Index</th>
              <th scope="col">When (UTC)</th>
              <th scope="col">What</th>
              <th scope="col">Outcome</th>
            </tr>
          </thead>
          <tbody>
            {(isPrinting ? found : found.slice(0, rows)).map((shown) => (
              <Row
                key={shown.event.index}
                shown={shown}
                origin={checked.file.evidence.origin}
                isPrinting={isPrinting}
              />
            ))}
          </tbody>
        </table>
      </div>
      {found.length > rows && (
        <button type="button" onClick={() => setRows(rows + ROWS)}>
          Show {Math.min(ROWS, found.length - rows)} more
        </button>
      )}
    </section>
  );
}

/** Whether the page is being printed: paper has no button to press, so that every row is on it, opened. */
function usePrinting(): boolean {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    // What is printed is what stands there when the event is over.
    const begin = (): void => flushSync(() => setPrinting(true));
    const end = (): void => setPrinting(false);
    addEventListener('beforeprint', begin);
    addEventListener('afterprint', end);
    return () => {
      removeEventListener('beforeprint', begin);
      removeEventListener('afterprint', end);
    };
  }, []);
  return isPrinting;
}

function Row({ shown, origin, isPrinting }: { shown: Shown; origin: string; isPrinting: boolean }) {
  const [isPressed, setOpen] = useState(false);
  const isOpen = isPressed || isPrinting;
  const { event } = shown;
  const words = sentenceOf(event).map((piece) => (typeof piece === 'string' ? piece : nameOf(piece.party)));
  return (
    <Fragment>
      <tr>
        <td className="number">{event.index}</td>
        <td className="time">{event.occurredAt.replace('T', ' ').replace('Z', '')}</td>
        <td>
          <button type="button" className="open" aria-expanded={isOpen} onClick={() => setOpen(!isPressed)}>
            {visible(words.join(''))}
          </button>
          <code className="action">{event.action}</code>
        </td>
        <td className={`outcome ${event.outcome}`}>{event.outcome}</td>
      </tr>
      {isOpen && (
        <tr className="detail">
          <td colSpan={4}>
            <Detail shown={shown} origin={origin} />
          </td>
        </tr>
      )}
    </Fragment>
  );
}

/** The name, where it is shown, and always which one is meant. */
function nameOf(party: RecordedTarget): string {
  const name = Object.hasOwn(party, 'name') ? party['name'] : undefined;
  return typeof name === 'string' ? `${name} (${party.type}/${party.id})` : `${party.type}/${party.id}`;
}

function Detail({ shown, origin }: { shown: Shown; origin: string }) {
  const { event, row } = shown;
  const { changes, withheld, index: _index, action: _action, ...rest } = event;
  const pairs = Object.entries(rest).map(([name, value]) => [name, value as JsonValue] as const);
  return (
    <>
      {changes !== undefined && (
        <>
          <h3>Changes</h3>
          <Changes changes={changes as unknown as readonly JsonValue[]} />
        </>
      )}
      <h3>Event</h3>
      <Pairs pairs={pairs} />
      {withheld.length > 0 && (
        <>
          <h3>Not shown</h3>
          <ul>
            {withheld.map(({ path, digest }) => (
              <li key={digest}>
                <code>{visible(path === '' ? '/' : path)}</code>: sealed; its digest is <code>{digest}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>Proof</h3>
      <p>
        Entry {event.index} of {visible(origin)}. SHA-256 of its bytes as a leaf (RFC 6962):{' '}
        <code>{base64Encode(hashLeaf(row.entry))}</code>; the tiles in this file lead from it to the root that
        the checkpoint signs.
      </p>
      <pre className="json">{visible(utf8Decode(row.entry))}</pre>
    </>
  );
}
