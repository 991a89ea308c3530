import { createContext, use, useSyncExternalStore } from 'react';
import type { ViewerSession } from '../../../src/wire/index.ts';
import type { Api } from '../api/api.ts';
import type { LogProof, ProofState } from './log-proof.ts';

/** What every screen needs: whom to ask, who is asking, and the check of the log in view. */
export interface Viewer {
  readonly api: Api;
  readonly session: ViewerSession;
  readonly proof: LogProof;
  /** Whether this is the whole page, or an element within somebody else's. */
  readonly isEmbedded: boolean;
}

export const ViewerContext = createContext<Viewer | undefined>(undefined);

/** What every screen needs. */
export function useViewer(): Viewer {
  const viewer = use(ViewerContext);
  if (viewer === undefined) throw new Error('This part of the viewer is mounted outside of it.');
  return viewer;
}

/** What the page has found of the log in view, as it changes. */
export function useProofState(): ProofState {
  const { proof } = useViewer();
  return useSyncExternalStore(proof.subscribe, proof.state);
}
