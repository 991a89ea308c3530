import { createHash } from 'node:crypto';
import { openEntry, parseEntry } from '../../event/index.ts';
import { PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX } from '../../log/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import type { EventPage } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { problems, querySchema } from './answers.ts';
import { askedOf, boundTo, fieldsOf, maySee } from './asked.ts';
import { type Desk, json, nothingHere } from './deps.ts';
import { wireEvent, wireEvents } from './rows.ts';

/** How long a page waits for the search index, milliseconds; it then says how far it is complete. */
const INDEX_WAIT_MS = 2000;

const include = { enum: ['entry'], description: 'The exact bytes of each entry, to be checked.' };

/** `GET …/events`, `…/events/{id}`, `…/{id}/proof`, `…/{id}/entry`. */
export function eventRoutes(desk: Desk): Route[] {
  const reading = { method: 'GET', access: ['read', 'audit'], forViewerTokens: true } as const;
  const wire = (description: string, name: 'Event' | 'EventPage') => ({ description, schema: shape(name) });
  return [
    {
      ...reading,
      path: '/v1/logs/{log}/events',
      operationId: 'queryEvents',
      summary: 'Events that match a query, newest first, page by page.',
      query: {
        properties: {
          q: querySchema,
          cursor: { type: 'string', maxLength: 2048, description: 'Where an earlier page ended: its next.' },
          limit: { type: 'integer', minimum: 1, maximum: PAGE_EVENTS_MAX, default: PAGE_EVENTS_DEFAULT },
          order: { enum: ['index', 'occurredAt'], default: 'index' },
          include,
        },
      },
      answers: {
        200: wire('One page; complete says how much of the log it covers.', 'EventPage'),
        304: { description: 'Nothing was recorded since the answer with this ETag.' },
        ...problems(400, 404, 503),
      },
      handle: (call) => page(desk, call),
    },
    {
      ...reading,
      path: '/v1/logs/{log}/events/{id}',
      operationId: 'getEvent',
      summary: 'One event, by its id.',
      query: { properties: { include } },
      answers: { 200: wire('The event, with its leaf.', 'Event'), ...problems(404) },
      handle: async (call) => {
        const stored = await mustSee(desk, call);
        return json(wireEvent(stored, call.query['include'] === 'entry'));
      },
    },
    {
      ...reading,
      path: '/v1/logs/{log}/events/{id}/proof',
      operationId: 'proveEvent',
      summary:
        'Proof that the entry is in the tree: of the newest checkpoint that the witnesses have cosigned, if it covers it; else of the newest (c2sp.org/tlog-proof).',
      answers: { 200: { description: 'A .tlog-proof file.', contentType: 'text/plain' }, ...problems(404) },
      handle: async (call) => {
        const { index } = await find(call);
        const { proof } = await call.log.log.proveAt(index);
        return file(proof, 'text/plain; charset=utf-8', `${call.log.name}-${index}.tlog-proof`);
      },
    },
    {
      ...reading,
      path: '/v1/logs/{log}/events/{id}/entry',
      operationId: 'getEntry',
      summary: 'The exact bytes of the entry: the leaf is SHA-256(0x00 || bytes).',
      answers: {
        200: { description: 'The bytes.', contentType: 'application/octet-stream' },
        ...problems(404),
      },
      handle: async (call) => {
        const { index, entry } = await mustSee(desk, call);
        return file(entry, 'application/octet-stream', `${call.log.name}-${index}.entry`);
      },
    },
  ];
}

async function page({ logs }: Desk, call: Call): Promise<Response> {
  const { log, query, request } = call;
  const asked = askedOf(call);
  const bound = boundTo(call, asked);
  const cursor = query['cursor'] as string | undefined;
  const inner = cursor === undefined ? undefined : logs.cursors.open(cursor, bound);
  const limit = (query['limit'] as number | undefined) ?? PAGE_EVENTS_DEFAULT;
  const order = (query['order'] as 'index' | 'occurredAt' | undefined) ?? 'index';
  const withEntries = query['include'] === 'entry';
  const question = createHash('sha256')
    .update(JSON.stringify([...bound, cursor ?? '', limit, withEntries]))
    .digest('base64url')
    .slice(0, 16);
  const known = request.headers.get('if-none-match');
  if (known !== null && known === tag((await log.log.checkpoint()).size, question)) {
    logs.views.saw(call, { indexes: [], fields: fieldsOf(asked.filter), query: asked.text });
    return new Response(null, { status: 304, headers: { etag: known, 'cache-control': 'no-store' } });
  }
  const at = inner === undefined ? {} : { cursor: inner };
  const rows = await log.log.reader.rows(
    { filter: asked.joined, limit, order, waitMs: INDEX_WAIT_MS, ...at },
    withEntries,
  );
  const indexes = rows.events.map(({ index }) => index);
  logs.views.saw(call, { indexes, fields: fieldsOf(asked.filter), query: asked.text });
  const answer: EventPage = {
    events: wireEvents(rows),
    ...(rows.next === undefined ? {} : { next: logs.cursors.seal(rows.next, bound) }),
    complete: rows.complete,
    size: rows.size,
  };
  // An answer that the index could not give in full is not the one that the same question gets a moment later.
  const isFull = rows.complete === rows.size || cursor !== undefined;
  return json(answer, { headers: isFull ? { etag: tag(rows.size, question) } : {} });
}

function tag(size: number, question: string): string {
  return `W/"${size}-${question}"`;
}

/** The entry under the id in the path, if this caller may see it. */
async function find({ log, params, caller }: Call): Promise<StoredEntry> {
  const stored = await log.log.reader.find(params['id']!);
  if (stored === undefined) throw nothingHere();
  if (caller?.filter === undefined) return stored;
  const { event } = openEntry(parseEntry(stored.entry), stored.disclosures, stored.index);
  if (!maySee(caller, event)) throw nothingHere();
  return stored;
}

/** The same, for a route that shows it: takes note. */
async function mustSee({ logs }: Desk, call: Call): Promise<StoredEntry> {
  const stored = await find(call);
  logs.views.saw(call, { indexes: [stored.index], fields: ['id'] });
  return stored;
}

function file(body: string | Uint8Array, type: string, name: string): Response {
  return new Response(body as string | Uint8Array<ArrayBuffer>, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="${name}"`,
      'cache-control': 'no-store',
    },
  });
}
