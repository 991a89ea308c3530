import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { misuse, utf8Decode, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  type CompromisedSince,
  type Draft,
  entryText,
  formatKeyStatement,
  type KeyStatement,
  keyChangeEvent,
  keyChangeOf,
  parseEntry,
  parseKeyStatement,
  sealDraft,
  timeMs,
} from '../event/index.ts';
import { formatSignatureLine, parseNote, type Signer } from '../note/index.ts';
import { type Clock, randomBytes, systemClock } from '../platform/index.ts';
import { type Head, LogError, type LogReader, type LogStore } from '../store/index.ts';
import { CLOCKS_APART_MS_MAX, keyTimeline, openAuthorisation } from '../verify/index.ts';
import { Committer } from './commit.ts';
import { Edge } from './edge.ts';
import {
  createSuccessor,
  currentSigner,
  isNamedOtherwise,
  type KeyFiles,
  readSigner,
  successorPath,
  successors,
} from './keys.ts';
import { historyOf, type KeyHistory, keysOf, type LogKeys } from './log-timeline.ts';
import { Mark } from './mark.ts';
import { checkHead, notTheKey } from './signed-head.ts';
import { ownDraft, placeMark } from './writer.ts';

/** A statement that the root key is asked to sign: its text, with the signature of the key that it replaces where there is one. */
export type KeyRequest = string;

/** From where on a key is not to be believed: an index, or a time. */
export type Since = { readonly index: number } | { readonly time: string };

/** What is to change. */
export interface KeyChangeWanted {
  /** Whether the key that signs now gets a successor. */
  readonly rotate: boolean;
  /** Which key is not to be believed any more, and from where on. Without `vkey` it is the one that signs now, which then gets a successor. */
  readonly revoke?: { readonly vkey?: string | undefined; readonly since: Since } | undefined;
}

/** Where a log is whose keys are to change. */
export interface KeyWorkplace {
  readonly store: LogStore;
  /** Where the signing key lies; absent where it lies in no file, and `successor` must be given. */
  readonly files?: KeyFiles | undefined;
  /** The new key, where it is not to be made in a file beside the old one. */
  readonly successor?: Signer | undefined;
  /** The key that signs now, where it lies in no file and can be had: its signature lets those follow who pinned it. */
  readonly old?: Signer | undefined;
  readonly mark: string | undefined;
  readonly service: string;
  readonly clock?: Clock;
}

/** What became of a change. */
export interface KeysChanged {
  readonly history: KeyHistory;
  /** The signed checkpoint that covers it. */
  readonly checkpoint: string;
}

/**
 * Writes down what the root key has to sign. The key that is to take over is made, and waits beside the one that signs; nothing of
 * the log is changed. Throws `LogError` `key_exists` where another waits already.
 */
export async function requestKeyChange(place: KeyWorkplace, wanted: KeyChangeWanted): Promise<KeyRequest[]> {
  const keys = await keysOf(place.store);
  const { timeline } = keys;
  if (timeline.rootKey === undefined)
    throw new LogError('not_permitted', 'the log was created without a root key: its key can never change');
  const { vkey, since } = wanted.revoke ?? {};
  const current = timeline.current.at(-1)!.text;
  const revoked = since === undefined ? undefined : (vkey ?? current);
  if (revoked !== undefined && timeline.spanOf(revoked) === undefined)
    throw misuse('range', 'option_invalid', `${revoked} never signed this log`);
  const statements: KeyStatement[] = [];
  const isRotated = wanted.rotate || revoked === current;
  if (isRotated) {
    const newKey = (place.successor ?? successorOf(place, timeline.origin, keys)).vkey;
    statements.push({ kind: 'rotation', ...timeline.next, oldKey: current, newKey });
  }
  if (revoked !== undefined) {
    const { next } = timeline;
    const compromisedSince = await sinceOf(place.store, since!, place.clock ?? systemClock);
    statements.push({
      kind: 'revocation',
      ...next,
      change: next.change + (isRotated ? 1 : 0),
      key: revoked,
      compromisedSince,
    });
  }
  const old = oldSigner(place, timeline.origin, current);
  return statements.map((statement) => {
    const text = formatKeyStatement(statement);
    return statement.kind === 'rotation' && old !== undefined ? signed(text, old) : text;
  });
}

/** Signs what a request asks for, with the root key. Reads what it signs: nothing but a change of keys is ever signed here. */
export function authoriseKeyChange(request: KeyRequest, root: Signer): string {
  const { text } = readRequest(request);
  return signed(request, root, text);
}

/** What a request asks for. Throws `VerificationError` `malformed_key_change`. */
export function readRequest(request: KeyRequest): {
  readonly text: string;
  readonly statement: KeyStatement;
} {
  const text = request.includes('\n\n') ? parseNote(utf8Encode(request)).text : request;
  return { text, statement: parseKeyStatement(text) };
}

/**
 * Records changes that the root key has authorised, in one commit. The checkpoint that covers them is the first that the new key
 * signs; the old key has no part in it, and need not be there.
 *
 * If we die before the commit, the log has heard of nothing, and the new key waits beside the old one for another attempt. If we die
 * after it, the log names the new key, and whoever opens it next finds it where it waits, and gives it its place.
 */
export async function applyKeyChange(
  place: KeyWorkplace,
  authorisations: readonly string[],
): Promise<KeysChanged> {
  const { store } = place;
  const clock = place.clock ?? systemClock;
  const head = await mustHaveHead(store);
  const keys = await keysOf(store);
  const { timeline } = keys;
  checkHead(head, timeline);
  const edge = await Edge.load(store, head);
  const mark = place.mark === undefined ? undefined : new Mark(place.mark, () => {});
  await mark?.check(store, timeline);
  const statements = authorisations.map((note) => ({ note, ...readRequest(note) }));
  const source = { service: place.service, instance: randomUUID() };
  const drafts = (): Draft[] =>
    statements.map(({ statement, note }) => ownDraft(keyChangeEvent(statement, note), source, clock));
  for (const { note, statement } of statements) checkAuthorised(note, statement, keys);
  rehearse(drafts(), keys, head);
  const signer = signerAfter(place, keys, statements);
  const committer = new Committer(
    {
      store,
      origin: timeline.origin,
      signer,
      keys,
      isSuccessor: true,
      clock,
      random: randomBytes,
      ownDraft: (event) => ownDraft(event, source, clock),
      announce: false,
    },
    { head, edge },
  );
  const reply = await committer.commit({
    take: async (transaction) => {
      // Behind the lock: what was authorised for this place is recorded there or nowhere.
      const now = await keysOf(transaction);
      if (now.timeline.changes !== timeline.changes) {
        throw new LogError('key_mismatch', 'the keys of the log were changed by somebody else meanwhile', {
          hint: 'what the root key signed is good for that place alone: ask it again',
        });
      }
      return drafts().map((draft) => ({ draft }));
    },
    settle: () => {},
  });
  const after = await keysOf(store);
  const taken = await mustHaveHead(store);
  checkHead(taken, after.timeline);
  const { files } = place;
  if (files !== undefined && place.successor === undefined)
    currentSigner(files, timeline.origin, after.timeline.current);
  if (mark !== undefined) await placeMark({ mark, store, clock }, (one) => checkHead(one, after.timeline));
  return { history: historyOf(after), checkpoint: reply.checkpoint };
}

/** A change of keys that was finished later than it was recorded. */
export interface FinishedKeyChange extends KeysChanged {
  /** What the root key had authorised, in the order in which it was recorded. */
  readonly statements: readonly KeyStatement[];
}

/** Finishes what a change that was cut off left to do with the files; undefined where there was nothing. */
export async function finishKeyChange({
  store,
  files,
}: KeyWorkplace): Promise<FinishedKeyChange | undefined> {
  const keys = await keysOf(store);
  const { origin, current } = keys.timeline;
  if (files === undefined) return undefined;
  const isWaiting = current.some(({ text }) => existsSync(successorPath(files.key, text)));
  if (!isWaiting && !isNamedOtherwise(files, origin, current)) return undefined;
  const { vkey } = currentSigner(files, origin, current);
  const statements = keys.entries.slice(1).flatMap(({ entry }) => statementIn(entry));
  const from = statements.findLastIndex((one) => one.kind === 'rotation' && one.newKey === vkey);
  const { checkpoint } = await mustHaveHead(store);
  return {
    history: historyOf(keys),
    checkpoint: utf8Decode(checkpoint),
    statements: from < 0 ? [] : statements.slice(from),
  };
}

/** What an entry that changes keys has recorded; nothing where it cannot be read, and so changes none. */
function statementIn(entry: Uint8Array): KeyStatement[] {
  try {
    return [readRequest(keyChangeOf(parseEntry(entry)).authorisation).statement];
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

/** Takes keys away that wait beside the signing key and that the log has not named. */
export async function dropSuccessors({ store, files }: KeyWorkplace): Promise<number> {
  const { timeline } = await keysOf(store);
  if (files === undefined) return 0;
  const left = successors(files.key, timeline.origin).filter(
    ({ vkey }) => timeline.spanOf(vkey) === undefined,
  );
  for (const { vkey } of left) rmSync(successorPath(files.key, vkey));
  return left.length;
}

/** The key that is to take over: the one that waits from an earlier attempt, or a new one. */
function successorOf({ files }: KeyWorkplace, origin: string, { timeline }: LogKeys): Signer {
  if (files === undefined)
    throw misuse('type', 'option_invalid', 'the signing key lies in no file: hand in the new key as well');
  const waiting = successors(files.key, origin).filter(({ vkey }) => timeline.spanOf(vkey) === undefined);
  return waiting[0] ?? createSuccessor(files.key, origin);
}

/** The key that signs now, where it can be had. */
function oldSigner({ files, old }: KeyWorkplace, origin: string, current: string): Signer | undefined {
  if (old !== undefined) return old.vkey === current ? old : undefined;
  if (files === undefined || !existsSync(files.key)) return undefined;
  const signer = readSigner(files.key, origin);
  return signer.vkey === current ? signer : undefined;
}

/** The signer of the checkpoint that covers the changes. */
function signerAfter(
  place: KeyWorkplace,
  keys: LogKeys,
  statements: readonly { readonly statement: KeyStatement }[],
): Signer {
  const { timeline } = keys;
  const rotation = statements.map(({ statement }) => statement).find(({ kind }) => kind === 'rotation');
  const { files, successor, old } = place;
  if (rotation?.kind !== 'rotation') {
    const signer = old ?? (files && currentSigner(files, timeline.origin, timeline.current));
    if (signer === undefined) throw new LogError('key_missing', 'the signing key is not at hand');
    if (timeline.current.some(({ text }) => text === signer.vkey)) return signer;
    throw notTheKey(signer.vkey, keys, 'key_mismatch');
  }
  if (successor?.vkey === rotation.newKey) return successor;
  const path = files && successorPath(files.key, rotation.newKey);
  if (path === undefined || !existsSync(path)) {
    throw new LogError('key_missing', `the new key ${rotation.newKey} does not wait here`, {
      hint: 'apply the authorisation where the request was made',
    });
  }
  return readSigner(path, timeline.origin);
}

/** Refuses what would not change the keys of this log: it would stand in the log for ever. */
function checkAuthorised(note: string, statement: KeyStatement, { timeline }: LogKeys): void {
  const { origin, genesis, change } = timeline.next;
  if (statement.origin !== origin || statement.genesis !== genesis)
    throw new VerificationError('key_change_invalid', 'This authorisation was made for another log.');
  if (statement.change < change)
    throw new VerificationError('key_change_invalid', 'This authorisation was used, or overtaken, already.');
  openAuthorisation(note, statement, timeline.rootKey, undefined);
}

/** Builds the timeline as it would be: an entry that changes nothing would stand in the log for ever. */
function rehearse(drafts: readonly Draft[], { entries }: LogKeys, { size, recordedAt }: Head): void {
  const [first, ...changes] = entries;
  const time = new Date(recordedAt).toISOString();
  const added = drafts.map((draft, at) => ({
    index: size + at,
    entry: utf8Encode(entryText(sealDraft(draft, randomBytes), time)),
  }));
  const { problems } = keyTimeline(first!.entry, [...changes, ...added]);
  const problem = problems.find(({ index }) => index >= size);
  if (problem !== undefined)
    throw new VerificationError('key_change_invalid', `What was authorised ${problem.what}.`);
}

/** A statement, or a note that others have signed, with one more signature. */
function signed(note: string, signer: Signer, text = note): string {
  const { name, keyId } = signer;
  const line = formatSignatureLine({ name, keyId, signature: signer.sign(utf8Encode(text)) });
  return note === text ? `${text}\n${line}\n` : `${note}${line}\n`;
}

/** Both ways of saying since when: by the number of entries that the log had, and by time. */
async function sinceOf(store: LogReader, since: Since, clock: Clock): Promise<CompromisedSince> {
  const { size } = await mustHaveHead(store);
  if ('index' in since) {
    const { index } = since;
    if (!Number.isSafeInteger(index) || index < 0 || index > size)
      throw misuse('range', 'option_invalid', `the log has ${size} entries: name an index up to that`);
    const time = index < size ? await timeAt(store, index) : new Date(clock.wall()).toISOString();
    return { size: index, time };
  }
  const ms = timeMs(since.time);
  if (Number.isNaN(ms)) throw misuse('range', 'option_invalid', `${since.time} is no time`);
  if (ms > clock.wall() + CLOCKS_APART_MS_MAX)
    throw misuse('range', 'option_invalid', `${since.time} has not come yet`);
  // The entries' times never go back: the first that was recorded at that time or later.
  let [low, high] = [0, size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (timeMs(await timeAt(store, middle)) < ms) low = middle + 1;
    else high = middle;
  }
  return { size: low, time: new Date(ms).toISOString() };
}

async function timeAt(store: LogReader, index: number): Promise<string> {
  const [stored] = await store.readEntries(index, index + 1);
  if (stored === undefined) throw new LogError('log_damaged', `entry ${index} is missing`);
  return parseEntry(stored.entry).recordedAt;
}

async function mustHaveHead(store: LogReader): Promise<Head> {
  const head = await store.head();
  if (head === undefined) throw new LogError('log_damaged', 'the log has no head');
  return head;
}
