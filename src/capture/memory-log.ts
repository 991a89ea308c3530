import { randomUUID } from 'node:crypto';
import { misuse } from '../bytes/index.ts';
import {
  createLogOver,
  type Log,
  type OpenOptions,
  openLogOver,
  SERVICE_DEFAULT,
  signerOf,
  type VerifyOptions,
} from '../log/index.ts';
import { signerKeyFromSeed } from '../note/index.ts';
import { randomBytes } from '../platform/index.ts';
import { MemoryStore } from '../store/index.ts';
import { type AuditReport, auditLog } from '../verify/index.ts';

/** How a log in memory is opened. */
export interface MemoryLogOptions extends Pick<OpenOptions, 'service' | 'version' | 'queue' | 'warn'> {
  /** Default `test/log`. */
  readonly origin?: string;
  /** What happens to ids that look personal. Default `refuse`. */
  readonly personalIds?: 'refuse' | 'allow';
}

/**
 * Opens a log in memory, for tests: the log itself, over a store that forgets. Its entries are sealed and signed, its receipts
 * prove, its rules refuse, as those of a log on disk; keys are made for it alone. Throws misuse `option_unknown`.
 */
export async function openMemoryLog(options: MemoryLogOptions = {}): Promise<Log> {
  const names = ['origin', 'personalIds', 'service', 'version', 'queue', 'warn'];
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  const { origin = 'test/log', personalIds = 'refuse', ...open } = options;
  const store = new MemoryStore();
  const newSigner = (name: string) => signerOf(signerKeyFromSeed(name, randomBytes(32)));
  const signer = newSigner(origin);
  const service = open.service ?? SERVICE_DEFAULT;
  await createLogOver(store, {
    origin,
    personalIds,
    service,
    signer,
    rootKey: newSigner(`${origin}/root`).vkey,
  });
  const home = {
    dir: `memory:${randomUUID()}`,
    followers: ':memory:',
    anchors: '',
    policy: '',
    mldsaKey: '',
    outOfReach: [],
    origin,
    reading: store,
    index: '',
    writing: { store, signer: () => signer, mark: undefined },
    verify: (options: VerifyOptions): Promise<AuditReport> => audit(store, options),
    backup: (): never => {
      throw misuse('type', 'argument_invalid', 'a log in memory has nothing that could be copied');
    },
  };
  // A test is over before a first heartbeat, and its entries are to be the same each time.
  return openLogOver(home, { ...open, heartbeatMs: 0 }, false);
}

/** Audits everything that is in memory. */
async function audit(store: MemoryStore, options: VerifyOptions): Promise<AuditReport> {
  const { vkey, policy, held, depth } = options;
  const trust = policy ?? (vkey === undefined ? undefined : { vkey });
  const { checkpoint, size } = store.head()!;
  const source = {
    head: () => ({ checkpoint, last: size - 1 }),
    rows: ({ begin, end }: { begin: number; end: number }) => store.readEntries(begin, end),
  };
  return auditLog(source, {
    ...(trust !== undefined && { trust }),
    ...(held !== undefined && { held }),
    ...(depth !== undefined && { depth }),
  });
}
