import { misuse } from '../bytes/index.ts';
import type { ClientState } from './state.ts';

/** Opens a folder for a client's state: only where there are folders. The counterpart is `platform/client-state.ts`. */
export function openStateFolder(_folder: string): ClientState {
  throw misuse(
    'type',
    'option_invalid',
    'this runtime has no files: hand in state as an object ({ checkpoints, openSpool })',
  );
}

/** Says something to whoever runs this process. */
export function warn(message: string): void {
  reportError(new Error(message));
}
