import { VerificationError } from '../bytes/index.ts';
import { openNote, type Policy, satisfiesPolicy } from '../note/index.ts';
import { type Shown, show } from './terminal.ts';

/** What was published, and of what. */
export interface PublishedSoFar {
  /** The folder of the log. */
  readonly dir: string;
  readonly policy: Policy | undefined;
  /** The checkpoint that lies there now, and its size. */
  readonly note: Uint8Array;
  readonly size: number;
  /** How many entries the log has. */
  readonly logSize: number;
}

/** What a publication waits for. */
export interface Waiting {
  /** Entries that are published with a later checkpoint: one that was shown to witnesses. */
  readonly entries: number;
  /** Witnesses by their names in the policy, where the quorum has not cosigned what is published, and they have not. */
  readonly witnesses: readonly { readonly name: string; readonly url?: string }[];
}

/** What holds a publication back: a log with witnesses publishes what they were shown, and readers take what its quorum has cosigned. */
export function waitingOf({ policy, note, size, logSize }: PublishedSoFar): Waiting {
  if (policy === undefined || policy.witnesses.length === 0) return { entries: 0, witnesses: [] };
  const { isSatisfied, signers } = cosignersOf(policy, note);
  const missing = policy.witnesses.filter(({ key }) => !signers.has(key.text));
  return {
    entries: Math.max(0, logSize - size),
    witnesses: isSatisfied
      ? []
      : missing.map(({ name, url }) => ({ name, ...(url !== undefined && { url }) })),
  };
}

/** The same in words; no line where nothing waits. */
export function waitingLines(published: PublishedSoFar): Shown[] {
  const { dir, policy, size } = published;
  const { entries, witnesses } = waitingOf(published);
  const isByHand = policy?.witnesses.some(({ url }) => url === undefined) === true;
  const ask = isByHand
    ? show`indelible witness request --log ${dir}`
    : show`a process that has the log open does so`;
  return [
    ...(entries === 0
      ? []
      : [
          show`${String(entries)} newer entries wait: no checkpoint over them was shown to the witnesses yet (${ask})`,
        ]),
    ...witnesses.map(({ name, url }) =>
      url === undefined
        ? show`Waiting for ${name}, who signs by hand, to cosign size ${String(size)}: indelible witness request --log ${dir}, then witness add-signature`
        : show`Waiting for ${name} (${url}) to cosign size ${String(size)}`,
    ),
  ];
}

function cosignersOf(
  policy: Policy,
  note: Uint8Array,
): { isSatisfied: boolean; signers: ReadonlySet<string> } {
  try {
    const opened = openNote(
      note,
      policy.witnesses.map(({ key }) => key),
    );
    return {
      isSatisfied: satisfiesPolicy(policy, opened),
      signers: new Set(opened.verified.map(({ key }) => key.text)),
    };
  } catch (error) {
    // None of them has signed it yet.
    if (!(error instanceof VerificationError)) throw error;
    return { isSatisfied: policy.quorum === undefined, signers: new Set() };
  }
}
