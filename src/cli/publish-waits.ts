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
  /** The newest checkpoint that witnesses were shown. */
  readonly shown?: { readonly note: Uint8Array; readonly size: number } | undefined;
  /** Whether what lies there is cosigned and a newer checkpoint is not. */
  readonly isHeld?: boolean;
}

/** What a publication waits for. */
export interface Waiting {
  /** Entries that are published with a later checkpoint: one that witnesses were shown, and have cosigned once they have cosigned any. */
  readonly entries: number;
  /** Witnesses by their names in the policy, where the quorum has not cosigned the newest that it was shown, and they have not. */
  readonly witnesses: readonly { readonly name: string; readonly url?: string }[];
}

/** What holds a publication back: a log with witnesses publishes what they were shown, and readers take what its quorum has cosigned. */
export function waitingOf(published: PublishedSoFar): Waiting {
  const { policy, size, logSize, isHeld } = published;
  const entries = Math.max(0, logSize - size);
  if (policy === undefined || policy.witnesses.length === 0)
    return { entries: isHeld === true ? entries : 0, witnesses: [] };
  const { isSatisfied, signers } = cosignersOf(policy, askedOf(published).note);
  const missing = policy.witnesses.filter(({ key }) => !signers.has(key.text));
  return {
    entries,
    witnesses: isSatisfied
      ? []
      : missing.map(({ name, url }) => ({ name, ...(url !== undefined && { url }) })),
  };
}

/** What the witnesses are waited for with: a newer checkpoint that they were shown, or what is published. */
function askedOf({ note, size, shown }: PublishedSoFar): {
  readonly note: Uint8Array;
  readonly size: number;
} {
  return shown !== undefined && shown.size > size ? shown : { note, size };
}

/** The same in words; no line where nothing waits. */
export function waitingLines(published: PublishedSoFar): Shown[] {
  const { dir } = published;
  const { entries, witnesses } = waitingOf(published);
  const asked = String(askedOf(published).size);
  return [
    ...(entries === 0 ? [] : [show`${String(entries)} newer entries wait: ${reasonOf(published)}`]),
    ...witnesses.map(({ name, url }) =>
      url === undefined
        ? show`Waiting for ${name}, who signs by hand, to cosign size ${asked}: indelible witness request --log ${dir}, then witness add-signature`
        : show`Waiting for ${name} (${url}) to cosign size ${asked}`,
    ),
  ];
}

function reasonOf(published: PublishedSoFar): Shown {
  const { dir, policy, size } = published;
  if (policy === undefined)
    return show`what is published is cosigned, and the policy that says by whom cannot be used`;
  if (askedOf(published).size > size)
    return show`the quorum has cosigned no checkpoint over them yet, and what is published has a quorum`;
  const isByHand = policy.witnesses.some(({ url }) => url === undefined);
  const ask = isByHand
    ? show`indelible witness request --log ${dir}`
    : show`a process that has the log open does so`;
  return show`no checkpoint over them was shown to the witnesses yet (${ask})`;
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
