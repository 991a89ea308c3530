import type { Exposure } from '../wire/index.ts';
import { entries, lockedOf, people, type TierCircumstances, type TierFacts } from './tier-model.ts';

/*
 * Who could still do what to a log unseen: the one place that says so, for the command line, the server and the viewer. Each row
 * follows from facts alone. Where nothing is known, the worse is said.
 */

/** What of a log is out of its owner's reach, and how far. */
interface Reach {
  /** Entries under a checkpoint that witnesses have cosigned as the policy asks. */
  readonly witnessed: number;
  /** Entries that an authority has time-stamped, verified. */
  readonly stamped: number;
  /** Entries in places that refuse deletion. */
  readonly locked: number;
}

/** The rows of the table, one for each adversary. */
export function exposureOf(facts: TierFacts, served?: TierCircumstances): Exposure[] {
  const reach: Reach = {
    witnessed: facts.witnesses.met?.size ?? 0,
    stamped: Math.max(0, ...facts.stamped.filter(({ isVerified }) => isVerified).map(({ size }) => size)),
    locked: Math.max(0, ...lockedOf(facts.published, facts.now).map(({ size }) => size)),
  };
  return [
    writers(served),
    readers(served),
    diskOwner(facts, reach, served),
    keyHolder(facts, reach, served),
    copier(facts),
    application(served),
    collusion(facts, reach),
  ];
}

function row(
  who: string,
  can: string,
  rest: { readonly answeredBy: string; readonly unseen: string; readonly answered: Exposure['answered'] },
): Exposure {
  return { who, can, ...rest, isAnswered: rest.answered === 'whole' };
}

function writers(served: TierCircumstances | undefined): Exposure {
  if (served === undefined) {
    return row('whoever supplies values that the application records', 'put anything into an event', {
      answeredBy: 'one table of rules, limits on everything, one id for each event',
      unseen: 'nothing but what the application itself records for them',
      answered: 'whole',
    });
  }
  return row(
    'an outsider, or a client with a key to write',
    'send events that never happened, under its own credential',
    {
      answeredBy: 'credentials, strict parsing, limits, one id for each event',
      unseen: 'nothing beyond its own credential, which every event names',
      answered: 'whole',
    },
  );
}

function readers(served: TierCircumstances | undefined): Exposure {
  if (served === undefined) {
    return row('whoever can read the files of this log', 'read all that was recorded', {
      answeredBy: 'the permissions of the folder or the database alone',
      unseen: 'read: a file does not tell who has read it',
      answered: 'none',
    });
  }
  return row('a reader of one log', 'ask for anything', {
    answeredBy: 'a tree of its own for each log, and no route between logs; reading is recorded',
    unseen: 'nothing beyond its own log',
    answered: 'whole',
  });
}

/** Edits are found by whoever verifies; what counts here is whether anything says how much there must be. */
function diskOwner(facts: TierFacts, reach: Reach, served: TierCircumstances | undefined): Exposure {
  const { size, hasMark } = facts;
  const outside = Math.max(reach.witnessed, reach.stamped, reach.locked);
  const audit = served?.audit;
  const audited =
    served === undefined
      ? 'verify, which reads every byte again'
      : audit === undefined
        ? 'no whole audit yet by this server'
        : `a whole audit at ${audit.finishedAt}, which found ${audit.isIntact ? 'nothing' : 'damage'}`;
  const mark = hasMark ? 'the mark beside the log' : 'no mark lies beside the log';
  const answeredBy = ['the signed tree', audited, mark, ...outsideWords(facts, reach)].join('; ');
  const isDamaged = audit?.isIntact === false;
  const tail =
    outside >= size
      ? 'nothing that a verifier with what was signed outside does not find'
      : outside > 0
        ? `cut off the ${entries(size - outside)} after size ${outside}${hasMark ? ', if the mark is set back too' : ''}`
        : hasMark
          ? 'cut off the newest entries or put an older copy in place, if the mark is set back too'
          : 'cut off the newest entries or put an older copy in place: nothing says how many there must be';
  return row(
    'whoever can write to the disk, without the signing key',
    'change or delete entries, or put an older copy in place',
    {
      answeredBy,
      unseen: isDamaged ? `damage was found already; beside it: ${tail}` : tail,
      answered: isDamaged || (outside === 0 && !hasMark) ? 'none' : outside >= size ? 'whole' : 'part',
    },
  );
}

function keyHolder(facts: TierFacts, reach: Reach, served: TierCircumstances | undefined): Exposure {
  const { size } = facts;
  const outside = Math.max(reach.witnessed, reach.stamped, reach.locked);
  const known = outsideWords(facts, reach);
  const tree =
    served === undefined
      ? []
      : [
          served.isPublic
            ? 'checkpoint and tiles are public, so that anybody can keep them'
            : 'the tree is not public',
        ];
  const answeredBy = [
    ...(known.length === 0 ? ['no witness, no time-stamp that was verified'] : known),
    'receipts and checkpoints that others keep, which are not known here',
    ...tree,
  ].join('; ');
  const rest = outside < size ? `rewrite the ${entries(size - outside)} after size ${outside}` : undefined;
  const split =
    reach.witnessed > 0
      ? undefined
      : 'show another history to somebody who has none of this, since no witness compares what is shown to whom';
  const unseen =
    outside === 0
      ? ['rewrite all of it, or show two histories: only what others keep tells']
      : [rest, split].filter((part) => part !== undefined);
  return row(
    `whoever holds the signing key${served === undefined ? '' : ', which lies on this server'}`,
    'sign another history, or show two',
    {
      answeredBy,
      unseen:
        unseen.length === 0
          ? 'nothing that a verifier with this policy accepts, until the next event'
          : unseen.join('; '),
      answered: outside === 0 ? 'none' : unseen.length === 0 ? 'whole' : 'part',
    },
  );
}

function copier({ rootKey }: TierFacts): Exposure {
  const who = 'whoever copies the files of this log';
  if (rootKey === 'here') {
    return row(who, 'take the signing key and the root key that may replace it', {
      answeredBy: 'nothing: the root key lies beside the log; move it offline',
      unseen: 'sign as the log, and name another key in its place, for good',
      answered: 'none',
    });
  }
  if (rootKey === 'unknown') {
    return row(who, 'take the signing key, where it lies among them', {
      answeredBy: 'where the keys lie is not known here',
      unseen: 'sign as the log, if the key lies among the files',
      answered: 'none',
    });
  }
  return row(who, 'take the signing key', {
    answeredBy: 'the root key is not kept here, and can name another signing key',
    unseen: 'sign as the log until its owner notices',
    answered: 'part',
  });
}

function application(served: TierCircumstances | undefined): Exposure {
  const gaps = served === undefined ? '' : `: ${served.gaps} gaps are open now`;
  return row(
    'the application itself, from the moment that it is taken over',
    'invent events, or stop telling them',
    {
      answeredBy: `nothing answers inventions; sources that fall silent are noticed${gaps}`,
      unseen: 'invent events; leave out such as no source has numbered',
      answered: 'none',
    },
  );
}

function collusion(facts: TierFacts, reach: Reach): Exposure {
  const who = 'the operator and every witness together';
  const can = 'invent a history from its beginning';
  const before = Math.max(reach.stamped, reach.locked);
  if (before === 0) {
    return row(who, can, { answeredBy: 'nothing', unseen: can, answered: 'none' });
  }
  const answeredBy = outsideWords(facts, { ...reach, witnessed: 0 }).join('; ');
  return row(who, can, {
    answeredBy: `${answeredBy}: as far as those are not the operator's own, and somebody else keeps what they signed`,
    unseen: `invent what comes after size ${before}, or another history that nobody compares with this one`,
    answered: 'part',
  });
}

/** What is out of the owner's reach, in words. */
function outsideWords({ witnesses: { met }, stamped, published, now }: TierFacts, reach: Reach): string[] {
  const verified = stamped.filter(({ isVerified }) => isVerified);
  const locked = lockedOf(published, now);
  return [
    ...(met !== undefined && reach.witnessed > 0
      ? [`cosigned up to size ${met.size} by ${people(met.names)}`]
      : []),
    ...verified.map(({ authority, size }) => `time-stamped up to size ${size} by ${authority}`),
    ...locked.map(({ url, size }) => `a copy up to size ${size} that ${url} keeps from deletion`),
  ];
}
