import { useState } from 'react';
import { parseVerifierKey } from '../../../src/note/index.ts';
import type { EvidenceReport } from '../../../src/verify/index.ts';
import { visible } from '../drawer/visible.ts';
import type { State } from './page.tsx';

/** What was found, in one line, and what it rests on. */
export function Verdict({
  state,
  vkey,
  onVkey,
}: {
  state: State;
  vkey: string;
  onVkey: (vkey: string) => void;
}) {
  return (
    <section className={`verdict ${toneOf(state)}`} aria-labelledby="verdict">
      <h2 id="verdict">
        <span role="status">{wordsOf(state)}</span>
      </h2>
      {state.kind === 'checking' && <progress value={state.done} max={1} aria-label="checking" />}
      {state.kind === 'refused' && <p>{visible(state.message)}</p>}
      {state.kind === 'checked' && <Details report={state.checked.report} />}
      {state.kind !== 'checking' && <KeyField vkey={vkey} onVkey={onVkey} />}
    </section>
  );
}

function toneOf(state: State): string {
  if (state.kind === 'refused') return 'bad';
  if (state.kind === 'checking') return 'calm';
  const { ok, key } = state.checked.report;
  return ok ? (key === 'pinned' ? 'good' : 'open') : 'bad';
}

function wordsOf(state: State): string {
  if (state.kind === 'checking') return `Checking: ${Math.floor(state.done * 100)} %`;
  if (state.kind === 'refused') return 'This is not evidence, or it was changed.';
  const { verdict, key } = state.checked.report;
  if (verdict === 'does not hold') return 'This evidence does not hold.';
  return key === 'pinned'
    ? 'Verified under the key that you gave.'
    : 'Consistent with the key inside. Compare that key before you rely on it.';
}

function Details({ report }: { report: EvidenceReport }) {
  const { counts, made, complete, sources, findings, size, timestamps, signedBy } = report;
  const asked = made.ids === null ? `the query ${JSON.stringify(made.query)}` : `${made.ids.length} ids`;
  return (
    <>
      {findings.length > 0 && (
        <ul className="findings">
          {findings.map(({ code, message }) => (
            <li key={code + message}>
              <code>{code}</code> {visible(message)}
            </li>
          ))}
        </ul>
      )}
      <dl className="pairs">
        <Pair name="entries">{`${counts.selected} selected, of a log of ${size}; ${counts.support} more in support of them`}</Pair>
        <Pair name="asked for">{`${asked}, by ${made.by}, at ${made.at}`}</Pair>
        <Pair name="sealed values">{`${counts.shown} shown, ${counts.withheld} left out, ${counts.erased} erased with a record of it`}</Pair>
        <Pair name="complete">
          {complete === null
            ? 'not claimed'
            : `every entry from ${complete.from} to ${complete.to - 1} is here`}
          {sources.length > 0 && `; ${sources.length} sources without a gap in their numbers`}
        </Pair>
        {timestamps > 0 && (
          <Pair name="timestamps">{`${timestamps} tokens inside, for a verifier that reads them`}</Pair>
        )}
        {signedBy.map((key) => (
          <Pair key={key} name="signed by">
            {key}
          </Pair>
        ))}
      </dl>
      <h3>What it does not show</h3>
      <ul>
        {report.statements.map((statement) => (
          <li key={statement}>{visible(statement)}</li>
        ))}
      </ul>
    </>
  );
}

function Pair({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{typeof children === 'string' ? visible(children) : children}</dd>
    </div>
  );
}

/** The key that the reader got by another way, and the check again under it. */
function KeyField({ vkey, onVkey }: { vkey: string; onVkey: (vkey: string) => void }) {
  const [text, setText] = useState(vkey);
  const [wrong, setWrong] = useState('');
  return (
    <form
      className="key"
      onSubmit={(event) => {
        event.preventDefault();
        const given = text.trim();
        try {
          if (given !== '') parseVerifierKey(given);
          setWrong('');
          onVkey(given);
        } catch (error) {
          setWrong(error instanceof Error ? error.message : String(error));
        }
      }}
    >
      <label htmlFor="vkey">The log’s public key, as you got it by another way</label>
      <input
        id="vkey"
        value={text}
        spellCheck={false}
        autoComplete="off"
        placeholder="example.com/audit+0123abcd+A…"
        aria-describedby="vkey-wrong"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit">Check under this key</button>
      <p id="vkey-wrong" role="alert">
        {visible(wrong)}
      </p>
    </form>
  );
}
