import { existsSync } from 'node:fs';
import { logPaths } from '../../log/index.ts';
import type { SourceGap, Verification } from '../../wire/index.ts';
import type { OpenLog } from '../route.ts';
import type { Audited } from './audits.ts';

/** What is known of a log when it is asked who could still do what. */
export interface Circumstances {
  readonly open: Pick<OpenLog, 'log' | 'isPublic'>;
  readonly note: string;
  readonly audited: Audited;
  readonly gaps: readonly SourceGap[];
}

/** Who could still do what unseen, out of what is there: no more is claimed than this server can see. */
export function exposureOf({ open, note, audited, gaps }: Circumstances): Verification['exposure'] {
  const { mark, rootKey } = logPaths(open.log.dir);
  const hasMark = existsSync(mark);
  const isRootHere = existsSync(rootKey);
  const { lastWhole } = audited;
  const audit =
    lastWhole === undefined
      ? 'no whole audit yet by this server'
      : `a whole audit at ${lastWhole.finishedAt}, which found ${lastWhole.isIntact ? 'nothing' : 'damage'}`;
  const cosigners = cosignersOf(note, open.log.origin);
  return [
    ...alwaysAnswered,
    {
      who: 'whoever can write to the disk, without the signing key',
      can: 'change or delete entries, or put an older copy in place',
      answeredBy: `the signed tree; ${audit}; ${hasMark ? 'the mark beside the log' : 'no mark lies beside the log'}`,
      isAnswered: hasMark && lastWhole?.isIntact === true,
    },
    {
      who: 'whoever holds the signing key, which lies on this server',
      can: 'sign another history, or show two',
      answeredBy: `${cosigners === 0 ? 'no witness cosigns' : `${cosigners} cosign, unchecked by this server`}, no timestamps; receipts and checkpoints that others keep, of which this server knows none; ${
        open.isPublic
          ? 'checkpoint and tiles are public, so that anybody can keep them'
          : 'the tree is not public'
      }`,
      isAnswered: false,
    },
    {
      who: 'whoever copies the files of this log',
      can: isRootHere ? 'take the signing key and the root key that may replace it' : 'take the signing key',
      answeredBy: isRootHere
        ? 'nothing: the root key lies beside the log; move it offline'
        : 'the root key is not kept here, and can name another signing key',
      isAnswered: !isRootHere,
    },
    {
      who: 'the application itself, from the moment that it is taken over',
      can: 'invent events, or stop telling them',
      answeredBy: `nothing answers inventions; sources that fall silent are noticed: ${gaps.length} gaps are open now`,
      isAnswered: false,
    },
    {
      who: 'the operator and every witness together',
      can: 'invent a history from its beginning',
      answeredBy: 'nothing',
      isAnswered: false,
    },
  ];
}

/** What holds for every log of a server. */
const alwaysAnswered: Verification['exposure'] = [
  {
    who: 'an outsider, or a client with a key to write',
    can: 'send events that never happened, under its own credential',
    answeredBy: 'credentials, strict parsing, limits, one id for each event',
    isAnswered: true,
  },
  {
    who: 'a reader of one log',
    can: 'ask for anything',
    answeredBy: 'a tree of its own for each log, and no route between logs',
    isAnswered: true,
  },
];

/** Names beside the log's own that a checkpoint bears a signature line of. */
function cosignersOf(note: string, origin: string): number {
  const names = [...note.matchAll(/^\u2014 (\S+) \S+$/gm)].map(([, name]) => name);
  return new Set(names.filter((name) => name !== origin)).size;
}
