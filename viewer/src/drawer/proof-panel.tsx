import { useState } from 'react';
import { base64Decode } from '../../../src/bytes/index.ts';
import { explain } from '../events/badge.tsx';
import { useProofState, useViewer } from '../shell/context.tsx';
import { formatAbsolute, formatNumber } from '../shell/format.ts';
import type { ShownEvent } from '../shell/log-proof.ts';
import { Copyable, Failure } from '../shell/parts.tsx';

type StepState = 'yes' | 'no' | 'unknown';

/** The check of one event, step by step, as this page has made it. */
export function ProofPanel({ shown, verify }: { shown: ShownEvent; verify: () => void }) {
  const { head, pin } = useProofState();
  const { verdict } = shown;
  const isSealed = verdict.state === 'sealed';
  const headState: StepState = head?.state === 'sealed' ? 'yes' : head?.state === 'broken' ? 'no' : 'unknown';
  const signed = head?.state === 'sealed' ? head.head : undefined;
  const continues = head?.state === 'sealed' ? head.continues : undefined;
  return (
    <div className="proof-panel">
      <ol className="steps">
        <Step state={shown.event === undefined ? 'no' : 'yes'} title="Read here">
          This page opened the event from its exact bytes, and found each sealed value by its digest.
        </Step>
        <Step state={isSealed ? 'yes' : verdict.state === 'broken' ? 'no' : 'unknown'} title="In the tree">
          {isSealed ? (
            <>
              Their hash is leaf {formatNumber(shown.index)} of the tree.{' '}
              <code className="hash">{verdict.leafHash}</code>
            </>
          ) : (
            sentence(explain(verdict))
          )}
        </Step>
        <Step state={headState} title="Signed">
          {signed ? (
            <>
              The tree of {formatNumber(signed.size)} entries is signed under the key that this browser
              {pin?.origin === 'given' ? ' was given' : ' pinned at its first visit'}.
              {signed.witnesses > 0 && ` Witnessed ${signed.witnessed} of ${signed.witnesses}.`}
            </>
          ) : (
            headMessage(head)
          )}
        </Step>
        <Step
          state={headState === 'yes' && continues === undefined ? 'unknown' : headState}
          title="Continues"
        >
          {continues
            ? `It continues the tree of ${formatNumber(continues.size)} entries that this browser saw on ${formatAbsolute(continues.at)}.`
            : 'There is no earlier checkpoint in this browser to compare with.'}
        </Step>
      </ol>
      <p className="actions">
        <button type="button" onClick={verify}>
          Verify again <kbd>v</kbd>
        </button>
      </p>
      <Elsewhere shown={shown} vkey={pin?.vkey} />
      <p className="muted small">
        Key and page came from this server: what you see detects a changed database, not a hostile server. To
        trust neither, take the two files elsewhere.
      </p>
    </div>
  );
}

function headMessage(head: ReturnType<typeof useProofState>['head']): string {
  return head === undefined || head.state === 'sealed' ? 'No checkpoint has been checked yet.' : head.message;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const signs = { yes: '✓', no: '✕', unknown: '·' } as const;
const signWords = { yes: 'holds', no: 'does not hold', unknown: 'not known' } as const;

function Step({ state, title, children }: { state: StepState; title: string; children: React.ReactNode }) {
  return (
    <li className={`step ${state}`}>
      <span className="sign" aria-hidden="true">
        {signs[state]}
      </span>
      <div>
        <strong>
          {title}
          <span className="visually-hidden">, {signWords[state]}</span>
        </strong>
        <p>{children}</p>
      </div>
    </li>
  );
}

/** The same check without this page: two files and a command. */
function Elsewhere({ shown, vkey }: { shown: ShownEvent; vkey: string | undefined }) {
  const { api, proof } = useViewer();
  const [error, setError] = useState<unknown>();
  const name = shown.id.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const saveProof = async (): Promise<void> => {
    setError(undefined);
    try {
      save(`${name}.tlog-proof`, await api.proof(proof.log, shown.id));
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div className="elsewhere">
      <p className="actions">
        <button type="button" onClick={() => void saveProof()}>
          Save proof
        </button>
        {shown.row && (
          <button type="button" onClick={() => save(`${name}.json`, base64Decode(shown.row!.entry))}>
            Save entry
          </button>
        )}
      </p>
      {error !== undefined && <Failure error={error} />}
      <Copyable
        label="the command"
        text={`indelible verify --proof ${name}.tlog-proof --entry ${name}.json --vkey '${vkey ?? '<key>'}'`}
      />
    </div>
  );
}

function save(name: string, bytes: Uint8Array): void {
  const address = URL.createObjectURL(new Blob([bytes.slice()], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
