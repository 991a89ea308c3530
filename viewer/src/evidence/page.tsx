import { useEffect, useState } from 'react';
import { parseVerifierKey } from '../../../src/note/index.ts';
import { visible } from '../drawer/visible.ts';
import { type Checked, check, evidenceInside } from './check.ts';
import { Events } from './events.tsx';
import { Instructions } from './instructions.tsx';
import { Verdict } from './verdict.tsx';

/** How far the check is: under way, done, or ended by what is no evidence. */
export type State =
  | { readonly kind: 'checking'; readonly done: number }
  | { readonly kind: 'checked'; readonly checked: Checked }
  | { readonly kind: 'refused'; readonly message: string };

/** The whole page: how to check it elsewhere, what was found here, what it holds. */
export function EvidencePage() {
  const [vkey, setVkey] = useState('');
  const state = useCheck(vkey);
  const origin = state.kind === 'checked' ? state.checked.file.evidence.origin : undefined;
  return (
    <main>
      <header>
        <p className="kind">Evidence{origin === undefined ? '' : ' from the audit log'}</p>
        <h1>{origin === undefined ? 'Evidence' : visible(origin)}</h1>
      </header>
      <Instructions />
      <Verdict state={state} vkey={vkey} onVkey={setVkey} />
      {state.kind === 'checked' && <Events checked={state.checked} />}
    </main>
  );
}

/** Checks the file on opening, and again when a key is given. */
function useCheck(vkey: string): State {
  const [state, setState] = useState<State>({ kind: 'checking', done: 0 });
  useEffect(() => {
    let isGone = false;
    const tell = (next: State): void => {
      if (!isGone) setState(next);
    };
    tell({ kind: 'checking', done: 0 });
    // The page is drawn before the work begins.
    const timer = setTimeout(() => {
      check(evidenceInside(), trustOf(vkey), (done) => tell({ kind: 'checking', done })).then(
        (checked) => {
          document.title = `Evidence: ${checked.file.evidence.origin}`;
          tell({ kind: 'checked', checked });
        },
        (error: unknown) =>
          tell({ kind: 'refused', message: error instanceof Error ? error.message : String(error) }),
      );
    }, 30);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [vkey]);
  return state;
}

/** The key that was given, if it is one. */
function trustOf(vkey: string): { vkey: string } | undefined {
  if (vkey === '') return undefined;
  parseVerifierKey(vkey);
  return { vkey };
}
