import { actionNames, adjectives, nouns, regions, userAgents } from './vocabulary.ts';

/**
 * The event of every row: about 550 bytes of JSON with exactly five sealed values (the actor's email, the target's name,
 * `context`, `changes`, `metadata`). What varies, varies as in an application: 5,000 actors and 40,000 targets of which few do
 * most, 50 actions, a session that lasts a while, a request id that is never seen twice.
 */
export interface BenchEvent {
  occurredAt: string;
  action: string;
  outcome?: 'failure' | 'denied';
  actor: { type: string; id: string; email: string };
  targets: { type: string; id: string; name: string }[];
  context: { ip: string; userAgent: string; requestId: string; sessionId: string };
  changes: { path: string; from: string; to: string }[];
  metadata: { region: string; durationMs: number; note: string };
}

/** Sealed values of each event. */
export const DISCLOSURES_PER_EVENT = 5;

const ACTORS = 5_000;
const TARGETS = 40_000;
const TARGET_TYPES = ['document', 'project', 'invoice', 'user', 'api_key'] as const;
const FIELDS = ['role', 'status', 'owner', 'title', 'visibility', 'limit', 'plan', 'dueDate'] as const;
const MONTHS_3_MS = 90 * 86_400_000;

/** Event `index` of `count`: the same for the same arguments, whichever events were made before it. */
export function makeEvent(index: number, { count, end }: { count: number; end: number }): BenchEvent {
  const random = seeded(index);
  const actor = skewed(random(), ACTORS);
  const target = skewed(random(), TARGETS);
  const session = Math.floor(index / 50_000) * ACTORS + actor;
  const type = TARGET_TYPES[target % TARGET_TYPES.length]!;
  const outcome = random();
  return {
    occurredAt: new Date(end - Math.floor(((count - index) / count) * MONTHS_3_MS)).toISOString(),
    action: actionNames[skewed(random(), actionNames.length)]!,
    ...(outcome < 0.9 ? {} : { outcome: outcome < 0.97 ? 'failure' : 'denied' }),
    actor: {
      type: 'user',
      id: `u_${actor + 1000}`,
      email: `${pick(nouns, mix(actor))}.${actor}@example.com`,
    },
    targets: [{ type, id: `${type.slice(0, 3)}_${target + 10_000}`, name: targetName(target) }],
    context: {
      ip: ipOf(session),
      userAgent: pick(userAgents, mix(session)),
      requestId: `req_${hex(random)}${hex(random)}`,
      sessionId: `ses_${mix(session).toString(36)}`,
    },
    changes: [change(random)],
    metadata: {
      region: pick(regions, mix(actor + 2)),
      durationMs: Math.floor(random() * 900),
      note: `${pick(adjectives, random() * 1e6)} ${pick(nouns, random() * 1e6)} ${pick(nouns, random() * 1e6)}`,
    },
  };
}

/** Events from `begin` to `end` (exclusive) of a log of `count`, made ahead so that no run measures the making. */
export function makeEvents(begin: number, end: number, count = end): BenchEvent[] {
  const span = { count, end: Date.now() };
  return Array.from({ length: end - begin }, (_, offset) => makeEvent(begin + offset, span));
}

/** The `rank`th most active actor, target or action: what a query of the large log asks for. */
export const known = {
  actor: (rank: number): string => `user/u_${rank + 1000}`,
  target: (rank: number): string => {
    const type = TARGET_TYPES[rank % TARGET_TYPES.length]!;
    return `${type}/${type.slice(0, 3)}_${rank + 10_000}`;
  },
  action: (rank: number): string => actionNames[rank]!,
  word: (rank: number): string => nouns[rank % nouns.length]!,
} as const;

function targetName(target: number): string {
  return `${pick(adjectives, mix(target))} ${pick(nouns, mix(target + 7))} ${2020 + (target % 7)}`;
}

function change(random: () => number): BenchEvent['changes'][number] {
  const from = pick(nouns, random() * 1e6);
  return { path: `/${pick(FIELDS, random() * 1e6)}`, from, to: pick(nouns, random() * 1e6) };
}

function ipOf(session: number): string {
  const bits = mix(session + 3);
  if (bits % 5 === 0) return `2001:db8:${(bits & 0xffff).toString(16)}:${(bits >>> 16).toString(16)}::1`;
  return `203.0.${bits & 0xff}.${(bits >>> 8) & 0xff}`;
}

function pick<T>(list: readonly T[], number: number): T {
  return list[Math.floor(number) % list.length]!;
}

/** A rank from 0 to `count`: half of all draws fall into the first sixteenth. */
function skewed(unit: number, count: number): number {
  return Math.floor(unit ** 4 * count);
}

function hex(random: () => number): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}

/** The finaliser of MurmurHash3: neighbours land far apart. */
function mix(number: number): number {
  let bits = number | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Mulberry32, started anew for each event. */
function seeded(index: number): () => number {
  let state = mix(index + 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
