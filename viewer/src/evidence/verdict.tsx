import { useState } from 'react';
import { parseVerifierKey } from '../../../src/note/index.ts';
import type { EvidenceReport, EvidenceStamp, ReportedKey } from '../../../src/verify/index.ts';
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
  const { counts, made, complete, findings, size, timestamps, signedBy, keys, witnessed } = report;
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
        <Pair name="found">{matchWords(report)}</Pair>
        <Pair name="sealed values">{`${counts.shown} shown, ${counts.withheld} left out, ${counts.erased} erased with a record of it`}</Pair>
        <Pair name="complete">
          {complete === null
            ? 'not claimed'
            : `every entry from ${complete.from} to ${complete.to - 1} is here`}
          {sourceWords(report)}
        </Pair>
        <Pair name="witnessed">{witnessedWords(report)}</Pair>
        {witnessed?.cosignatures.map(({ vkey, timestamp }) => (
          <Pair key={vkey} name="cosigned by">{`${vkey}${timeWords(timestamp)}`}</Pair>
        ))}
        <Stamps stamps={timestamps} />
        {signedBy.map((key) => (
          <Pair key={key} name="signed by">
            {key}
          </Pair>
        ))}
        {keys.map((key) => (
          <Pair key={key.vkey} name="key of the log">
            {`${key.vkey} ${keyWords(key)}`}
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

/** Time-stamps are carried here, and checked by a verifier that reads ASN.1. */
function Stamps({ stamps }: { stamps: readonly EvidenceStamp[] }) {
  if (stamps.length === 0) return null;
  const covers = [...new Set(stamps.map(({ authority, size }) => `${authority} up to ${size} entries`))];
  return (
    <Pair name="time-stamps">
      {`${stamps.length} carried, not checked here: ${covers.join(', ')}. Check them with: indelible verify FILE --tsa-ca CA.pem, or openssl ts -verify.`}
    </Pair>
  );
}

function matchWords({ asked, made }: EvidenceReport): string {
  const unjudged =
    asked.unjudged === 0 ? '' : `; ${asked.unjudged} could not be judged, since values are withheld`;
  const words = made.ids === null ? 'match the query' : 'are those that were named';
  return `${asked.matched} ${words}${unjudged}`;
}

function sourceWords({ sources }: EvidenceReport): string {
  const [first] = sources;
  if (first === undefined) return '';
  const { service, instance, from, to } = first;
  if (sources.length > 1) return `; ${sources.length} sources without a gap in their numbers`;
  return `; every number of ${service} (${instance}) from ${from} to ${to}`;
}

function witnessedWords({ witnessed, policy }: EvidenceReport): string {
  if (witnessed === null) return policy === null ? 'by nobody' : 'by nobody; a policy is inside';
  const { size, behind } = witnessed;
  const newer = behind === 0 ? '' : `; ${behind} of the selected entries are newer`;
  const whose =
    witnessed.policy === 'inside'
      ? 'by witnesses of the policy inside, which is the operator’s own statement'
      : 'by whom is not known: no policy names a witness';
  return `${size} entries, ${whose}${newer}`;
}

/** A witness's own clock, in POSIX seconds, where it says a time at all. */
function timeWords(timestamp: number): string {
  const time = new Date(timestamp * 1000);
  return timestamp === 0 || Number.isNaN(time.getTime()) ? '' : ` at ${time.toISOString()}`;
}

/** Which sizes a key signs, and what else is to be known of it. */
function keyWords({ first, last, isHandedOver, compromisedSince: since }: ReportedKey): string {
  const span = last === undefined ? `from ${first} entries on` : `${first} to ${last} entries`;
  return [
    `signs ${span}`,
    ...(isHandedOver === false ? ['not handed over by the key before it'] : []),
    ...(since === undefined ? [] : [`revoked: not believed beyond ${since.size} entries, ${since.time}`]),
  ].join('; ');
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
