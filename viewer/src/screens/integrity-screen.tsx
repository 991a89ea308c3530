import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { base64Encode } from '../../../src/bytes/index.ts';
import { parseVerifierKey } from '../../../src/note/index.ts';
import type { AuditSummary, Exposure, Tier, Verification } from '../../../src/wire/index.ts';
import { useProofState, useViewer } from '../shell/context.tsx';
import { formatAbsolute, formatCount, formatDuration, formatNumber } from '../shell/format.ts';
import { Copyable, CopyButton, Failure, Section, When } from '../shell/parts.tsx';

/** What is known of the log as a whole, and by whom: this browser first, the server after it and named so. */
export function IntegrityScreen() {
  const { api, proof, session } = useViewer();
  const mayAsk = session.kind !== 'viewer-token';
  const report = useQuery({
    queryKey: ['verification', proof.log],
    queryFn: ({ signal }) => api.verification(proof.log, signal),
    enabled: mayAsk,
    refetchInterval: 30_000,
  });
  return (
    <div className="scroller">
      <main className="page">
        <h1>Integrity of {proof.log}</h1>
        <BrowserCheck />
        {report.error !== null && <Failure error={report.error} retry={() => void report.refetch()} />}
        {report.data && <ServerSays report={report.data} />}
        {report.data && <Gaps report={report.data} />}
        {report.data && <Vouchers tier={report.data.tier} />}
        {report.data && <Adversaries rows={report.data.tier.exposure} />}
        <Elsewhere />
      </main>
    </div>
  );
}

function BrowserCheck() {
  const { proof } = useViewer();
  const { head, broken, checkedAt, sealedCount } = useProofState();
  return (
    <Section title="What this browser found" note="Checked here, from bytes, under the key below.">
      {head === undefined && <p className="muted">Checking…</p>}
      {head?.state === 'unreachable' && <p className="warning">Not checked: {head.message}</p>}
      {head?.state === 'broken' && (
        <p className="alarm" role="alert">
          <strong>This log does not hold.</strong> {head.message} <code>{head.code}</code>
        </p>
      )}
      {broken.length > 0 && (
        <p className="alarm" role="alert">
          <strong>Broken at index {broken.map(formatNumber).join(', ')}.</strong> What was shown there is not
          what the log signed.
        </p>
      )}
      {head?.state === 'sealed' && (
        <dl className="facts-list">
          <Fact name="Signed entries">{formatNumber(head.head.size)}</Fact>
          <Fact name="Root">
            <code className="hash">{base64Encode(head.head.root)}</code>
          </Fact>
          <Fact name="Origin">
            <code>{head.head.origin}</code>
          </Fact>
          <Fact name="Continues">
            {head.continues
              ? `the checkpoint of ${formatNumber(head.continues.size)} entries that this browser saw ${formatAbsolute(head.continues.at)}`
              : 'nothing yet: this was the first checkpoint that this browser saw'}
          </Fact>
          <Fact name="Witnesses">
            {head.head.witnesses === 0
              ? 'none: nobody outside of the operator vouches for this checkpoint'
              : `${head.head.witnessed} of ${head.head.witnesses} signatures verified`}
          </Fact>
          <Fact name="Rows checked">{formatNumber(sealedCount)} on this page, all found in the tree</Fact>
        </dl>
      )}
      <p className="actions">
        <button type="button" onClick={() => void proof.refresh()}>
          Check again
        </button>
        {checkedAt && (
          <span className="muted">
            last checked <When time={checkedAt.toISOString()} />
          </span>
        )}
      </p>
      {head?.state === 'sealed' && (
        <details>
          <summary>The signed checkpoint</summary>
          <pre className="json">{head.head.note}</pre>
          <CopyButton text={head.head.note} label="the checkpoint" />
        </details>
      )}
      <PinnedKey />
    </Section>
  );
}

function PinnedKey() {
  const { proof } = useViewer();
  const { pin } = useProofState();
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>();
  const replace = (event: FormEvent): void => {
    event.preventDefault();
    setError(undefined);
    try {
      parseVerifierKey(text.trim());
      void proof.repin(text.trim());
      setText('');
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div className="pin">
      <h3>Pinned key</h3>
      {pin && (
        <>
          <Copyable text={pin.vkey} label="the key" />
          <p className="muted">
            {pin.origin === 'first-use'
              ? `Taken from this server at this browser's first visit, ${formatAbsolute(pin.at)}. Compare it with the key that you got elsewhere: from then on, another key is an alarm.`
              : `Given to this browser, ${formatAbsolute(pin.at)}.`}
          </p>
        </>
      )}
      <details>
        <summary>Use the key that I was given</summary>
        <form onSubmit={replace}>
          <label>
            Verifier key
            <input
              type="text"
              value={text}
              onChange={(event) => setText(event.target.value)}
              placeholder="log.example/audit+86617d36+AQ…"
              spellCheck={false}
              autoComplete="off"
            />
          </label>
          <button type="submit" disabled={text.trim() === ''}>
            Pin this key
          </button>
          {error !== undefined && <Failure error={error} />}
        </form>
      </details>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function ServerSays({ report }: { report: Verification }) {
  const { lastWhole, last, isRunning } = report;
  return (
    <Section
      title="What the server says of itself"
      note="Its own audit reads every stored byte again. It is its opinion; this page has not repeated it."
    >
      {isRunning && <p>An audit is running now.</p>}
      {last === undefined && lastWhole === undefined && !isRunning && <p className="muted">No audit yet.</p>}
      <dl className="facts-list">
        {lastWhole && <Audit name="Last whole audit" audit={lastWhole} />}
        {last && last.startedAt !== lastWhole?.startedAt && <Audit name="Last audit" audit={last} />}
      </dl>
    </Section>
  );
}

function Audit({ name, audit }: { name: string; audit: AuditSummary }) {
  const took = new Date(audit.finishedAt).getTime() - new Date(audit.startedAt).getTime();
  return (
    <Fact name={name}>
      <span className={audit.isIntact ? 'good' : 'bad'}>{audit.isIntact ? 'Intact' : 'Damaged'}</span>,{' '}
      {formatCount(audit.size, 'entry', 'entries')}, {audit.depth}, <When time={audit.finishedAt} />, in{' '}
      {formatDuration(took)}
      {audit.overdue !== undefined && (
        <ul>
          {audit.overdue.map(({ code, message }) => (
            <li key={code}>
              <code>{code}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {audit.findings.length > 0 && (
        <ul>
          {audit.findings.map((finding) => (
            <li key={`${finding.code} ${finding.index} ${finding.message}`}>
              <code>{finding.code}</code> {finding.index !== undefined && `at index ${finding.index}: `}
              {finding.message}
            </li>
          ))}
        </ul>
      )}
    </Fact>
  );
}

function Gaps({ report: { gaps } }: { report: Verification }) {
  return (
    <Section
      title="Completeness"
      note="Integrity says that what is here was not changed. Whether something is missing is another question."
    >
      {gaps.length === 0 ? (
        <p>No source has a gap: no number is missing, and none fell silent without saying so.</p>
      ) : (
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Source</th>
              <th scope="col">Missing</th>
              <th scope="col">Since</th>
            </tr>
          </thead>
          <tbody>
            {gaps.map((gap) => (
              <tr key={`${gap.instance} ${gap.kind} ${gap.missingFrom}`}>
                <td data-label="Source">
                  {gap.service}
                  <span className="second-line mono">{gap.instance}</span>
                </td>
                <td data-label="Missing">
                  {gap.kind === 'seq'
                    ? `numbers ${gap.missingFrom ?? '?'} to ${gap.missingTo ?? '?'}`
                    : 'no sign of life, and no farewell'}
                </td>
                <td data-label="Since">
                  <When time={gap.since} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

/** What vouches for the log, from the weakest to the strongest, and what was signed that is not of this log. */
function Vouchers({ tier: { layers, contradictions, warnings } }: { tier: Tier }) {
  return (
    <Section
      title="What vouches for this log"
      note="Computed by the server out of what lies beside the log. Signatures were verified there; this page has not repeated it."
    >
      {contradictions.length > 0 && (
        <div className="alarm" role="alert">
          <strong>What outside parties signed does not fit this log.</strong>
          <ul>
            {contradictions.map((said) => (
              <li key={said}>{said}</li>
            ))}
          </ul>
        </div>
      )}
      {warnings.map((said) => (
        <p key={said} className="warning" role="status">
          {said}
        </p>
      ))}
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">Here</th>
            <th scope="col">What there is of it</th>
          </tr>
        </thead>
        <tbody>
          {layers.map(({ name, holds, says }) => (
            <tr key={name}>
              <td data-label="Layer">{name}</td>
              <td data-label="Here">
                <span className={holds ? 'good' : 'muted'}>{holds ? 'Yes' : 'No'}</span>
              </td>
              <td data-label="What there is of it">{says}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

const answers = {
  whole: { text: 'Answered', className: 'good' },
  part: { text: 'In part', className: 'muted' },
  none: { text: 'Open', className: 'warning' },
} as const;

function Adversaries({ rows }: { rows: readonly Exposure[] }) {
  return (
    <Section title="Who could still do what" note="As this log is set up now, according to the server.">
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">Could</th>
            <th scope="col">What answers it</th>
            <th scope="col">Unseen, still</th>
            <th scope="col">Here</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ who, can, answeredBy, unseen, answered }) => (
            <tr key={who}>
              <td data-label="Who">{who}</td>
              <td data-label="Could">{can}</td>
              <td data-label="What answers it">{answeredBy}</td>
              <td data-label="Unseen, still">{unseen}</td>
              <td data-label="Here">
                <span className={answers[answered].className}>{answers[answered].text}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Elsewhere() {
  const { proof } = useViewer();
  const { pin } = useProofState();
  return (
    <Section
      title="Check it elsewhere"
      note="This page and, at the first visit, its key come from the server. What they show detects a changed database; against a hostile server, check where it has no say. DATA is the server's data directory, or a copy of it."
    >
      <Copyable
        label="the command"
        text={`indelible verify DATA/logs/${proof.log} --vkey '${pin?.vkey ?? '<key>'}' --index`}
      />
    </Section>
  );
}
