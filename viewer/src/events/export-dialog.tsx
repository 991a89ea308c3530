import { useEffect, useRef, useState } from 'react';
import type { Stats } from '../../../src/wire/index.ts';
import { useViewer } from '../shell/context.tsx';
import { formatCount } from '../shell/format.ts';
import { Copyable } from '../shell/parts.tsx';

/** Takes along exactly what the list is about: all of it, streamed, without a cap. */
export function ExportDialog({
  q,
  stats,
  onClose,
}: {
  q: string;
  stats: Stats | undefined;
  onClose: () => void;
}) {
  const { api, proof } = useViewer();
  const [format, setFormat] = useState<'jsonl' | 'csv'>('jsonl');
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const count = stats && `${stats.isExact ? '' : 'About '}${formatCount(stats.total, 'event')}`;
  return (
    <dialog ref={dialog} className="dialog" onClose={onClose} aria-labelledby="export-title">
      <h2 id="export-title">Export</h2>
      <p>
        {count ?? 'The events of the list'}
        {q === '' ? ', the whole log.' : ': all that fit this query, streamed, without a limit.'}
      </p>
      {q !== '' && (
        <code className="block terms">
          {q.split(' ').map((term, position) => (
            <span key={position}>{term} </span>
          ))}
        </code>
      )}
      <fieldset>
        <legend>Format</legend>
        <label>
          <input
            type="radio"
            name="format"
            checked={format === 'jsonl'}
            onChange={() => setFormat('jsonl')}
          />
          JSON lines <span className="muted">every field, for programs and as evidence</span>
        </label>
        <label>
          <input type="radio" name="format" checked={format === 'csv'} onChange={() => setFormat('csv')} />
          CSV <span className="muted">for spreadsheets; formulas in values are made harmless</span>
        </label>
      </fieldset>
      <p className="muted">The export is itself an event of this log.</p>
      <p className="actions">
        <a className="button primary" href={api.exportAddress(proof.log, format, q)} download>
          Download
        </a>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </p>
      <details>
        <summary>From the command line, on the server (DATA: its data directory)</summary>
        <Copyable
          label="the command"
          text={`indelible export --log DATA/logs/${proof.log} --format ${format}${q === '' ? '' : ` ${shellQuoted(q)}`}`}
        />
      </details>
    </dialog>
  );
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
