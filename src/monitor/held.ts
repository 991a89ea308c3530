import { base64Encode, hexEncode, sha256, utf8Encode, VerificationError } from '../bytes/index.ts';
import { isLogError } from '../log/index.ts';
import { HASH_BYTES, TILE_WIDTH, type Tile } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import {
  type Believed,
  type Discovery,
  describe,
  findingOfSignature,
  type Held,
  openBelieved,
  readHead,
} from '../verify/index.ts';
import { type Telling, tellingOf } from './found.ts';
import type { WatchedPlace } from './places.ts';
import type { MonitorState } from './state.ts';
import { authenticatorOf, continues } from './tree.ts';

/** Tiles that are remembered while what is held is compared: each is asked for by many receipts. */
const TILES_KEPT_MAX = (4 * 1024 * 1024) / (TILE_WIDTH * HASH_BYTES);

/** What came of comparing. */
export interface HeldCompared {
  readonly tellings: readonly Telling[];
  readonly state: MonitorState;
}

/** What is compared with. */
interface HeldSettings {
  readonly believed: Believed;
  readonly place: Pick<WatchedPlace, 'tile'>;
}

/**
 * Compares what others kept with the log by its tiles alone, whenever it is not the same that has agreed before: what continues a log
 * that agrees goes on to agree. In the words of an audit, so that nothing is told twice.
 */
export async function compareHeld(
  held: readonly Held[],
  state: MonitorState,
  settings: HeldSettings,
): Promise<HeldCompared> {
  const digest = hexEncode(sha256(utf8Encode(JSON.stringify(held))));
  if (held.length === 0 || state.heldAgreed === digest) return { tellings: [], state };
  const head = readHead(utf8Encode(state.note))!;
  const found: Discovery[] = [];
  let agree = 0;
  const place = remembering(settings.place);
  for (const [position, item] of held.entries()) {
    const kind = typeof item === 'string' ? 'checkpoint' : 'receipt';
    // An audit compares what was seen last besides.
    const name = `The held ${kind} (${position + 1} of ${held.length + 1} held)`;
    const one = await compareOne(item, name, { ...settings, place, head });
    if (one === 'agrees') agree += 1;
    else if (one !== 'undecided') found.push({ ...one, ofLog: true });
  }
  const { heldAgreed: _, ...rest } = state;
  return {
    tellings: found.map((one) => tellingOf(describe(one))),
    state: agree === held.length ? { ...rest, heldAgreed: digest } : rest,
  };
}

/** Asks for a tile once, as long as it is among the last ones. */
function remembering(place: Pick<WatchedPlace, 'tile'>): Pick<WatchedPlace, 'tile'> {
  const kept = new Map<string, Promise<Uint8Array | undefined>>();
  return {
    tile: (tile: Tile) => {
      const key = `${tile.level}/${tile.index}/${tile.width}`;
      const asked = kept.get(key) ?? place.tile(tile);
      kept.delete(key);
      kept.set(key, asked);
      const [oldest] = kept.keys();
      if (kept.size > TILES_KEPT_MAX) kept.delete(oldest!);
      return asked;
    },
  };
}

/** `undecided`: only an audit can say, which knows what outside parties had seen. */
async function compareOne(
  item: Held,
  name: string,
  { head, believed: { policy, timeline }, place }: HeldSettings & { readonly head: Checkpoint },
): Promise<Discovery | 'agrees' | 'undecided'> {
  const note = utf8Encode(typeof item === 'string' ? item : item.checkpoint);
  const claim = readHead(note);
  const all = { from: 0, to: Math.max(head.size - 1, 0) };
  if (claim === undefined) return { code: 'checkpoint_invalid', ...all, what: `${name} holds no checkpoint` };
  try {
    // A key of the log that was pinned, or follows, has signed what is here: its earlier keys are believed with it.
    openBelieved(note, { policy, ...(timeline !== undefined && { timeline }) }, { quorum: false });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const code = findingOfSignature(error);
    if (code === 'key_revoked') return 'undecided';
    const why = error.message.replace(/\.$/, '');
    return { code, ...all, what: `${name} is not signed by this log, and says nothing of it: ${why}` };
  }
  const { size } = claim;
  if (size > head.size) {
    const what = `${name} shows that the log had ${size} entries; now it stands at ${head.size}`;
    return { code: 'rolled_back', from: head.size, to: size - 1, what };
  }
  const verdict = await continues(claim, head, place);
  if (verdict === 'unknown') return untold(name, all);
  if (verdict === 'no') {
    const what = `${name} signs another history of the first ${size} entries than the one that is here`;
    return { code: 'forked', from: 0, to: Math.max(size - 1, 0), what };
  }
  return typeof item === 'string' ? 'agrees' : compareLeaf({ ...item, size, name, all }, head, place);
}

interface LeafClaim {
  readonly index: number;
  readonly leafHash: string;
  readonly size: number;
  readonly name: string;
  readonly all: Pick<Discovery, 'from' | 'to'>;
}

async function compareLeaf(
  { index, leafHash, size, name, all }: LeafClaim,
  head: Checkpoint,
  place: Pick<WatchedPlace, 'tile'>,
): Promise<Discovery | 'agrees'> {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    const what = `${name} is about an entry that its checkpoint does not cover`;
    return { code: 'checkpoint_invalid', ...all, what };
  }
  try {
    const [leaf] = await authenticatorOf(head, place).readHashes([{ level: 0, index }]);
    if (base64Encode(leaf!) === leafHash) return 'agrees';
  } catch (error) {
    if (error instanceof VerificationError || isLogError(error, 'log_damaged')) return untold(name, all);
    throw error;
  }
  const what = `${name} is for another entry at index ${index} than the one that is here`;
  return { code: 'forked', from: index, to: index, what };
}

/** The tiles of a log lead to its root, or something is wrong with them. */
function untold(name: string, all: Pick<Discovery, 'from' | 'to'>): Discovery {
  const what = `${name} cannot be compared: the tiles that are here do not lead to the root that is signed`;
  return { code: 'tile_mismatch', ...all, what };
}
