import { setImmediate } from 'node:timers/promises';
import { base64Encode } from '../../bytes/index.ts';
import type { LogKeyList, LogList, LogRequest, LogSummary } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { problems } from './answers.ts';
import { type Desk, json, nothingHere } from './deps.ts';

const name = { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' };

/** Logs that a list names, unless it is asked for more or fewer. */
const LOGS_DEFAULT = 100;

/** Logs that a list names at most. */
const LOGS_MAX = 1000;

const log = { description: 'The log.', schema: shape('Log') };

/** `POST` and `GET /v1/logs`, `GET` and `PATCH /v1/logs/{log}`. */
export function logsRoutes(desk: Desk): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs',
      operationId: 'listLogs',
      summary: 'The logs that the credential may see.',
      access: ['write', 'read', 'audit', 'admin'],
      query: {
        properties: {
          limit: { type: 'integer', minimum: 1, maximum: LOGS_MAX, default: LOGS_DEFAULT },
          after: { ...name, description: 'Where an earlier list ended: its next.' },
        },
      },
      answers: { 200: { description: 'The logs, by name.', schema: shape('LogList') }, ...problems(400) },
      handle: (call) => list(desk, call),
    },
    {
      method: 'POST',
      path: '/v1/logs',
      operationId: 'createLog',
      summary: 'Makes a log, with a key and a tree of its own. For credentials that are not bound to a log.',
      access: ['admin'],
      body: {
        contentTypes: ['application/json'],
        bytesMax: 16 * 1024,
        schema: {
          type: 'object',
          required: ['name'],
          additionalProperties: false,
          properties: {
            name,
            origin: { type: 'string', pattern: '^[!-*,-~]{1,255}$', description: 'Without spaces and +.' },
            personalIds: { enum: ['refuse', 'allow'] },
            isPublic: { type: 'boolean' },
          },
        },
      },
      answers: { 201: log, ...problems(400, 404, 409) },
      handle: async ({ caller, body }) => {
        if (caller?.log !== undefined) throw nothingHere();
        const summary = await desk.logs.create((await body.json()) as LogRequest);
        return json(summary, { status: 201, headers: { location: `/v1/logs/${summary.name}` } });
      },
    },
    ...oneLogRoutes(desk),
  ];
}

function oneLogRoutes(desk: Desk): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs/{log}',
      operationId: 'getLog',
      summary: 'One log: its key as the server says, its size, its newest checkpoint.',
      access: ['write', 'read', 'audit', 'admin'],
      forViewerTokens: true,
      answers: { 200: log, ...problems(404) },
      handle: async ({ log }) => json(await summaryOf(log)),
    },
    {
      method: 'GET',
      path: '/v1/logs/{log}/keys',
      operationId: 'getLogKeys',
      summary:
        'The entries from which it follows who signs the log: the first one, and every change of keys.',
      access: ['write', 'read', 'audit', 'admin'],
      forViewerTokens: true,
      answers: {
        200: { description: 'The keys, and where they come from.', schema: shape('LogKeys') },
        ...problems(404),
      },
      handle: async ({ log }) => json(await keysOf(log)),
    },
    {
      method: 'PATCH',
      path: '/v1/logs/{log}',
      operationId: 'changeLog',
      summary: 'Opens or closes checkpoint and hash tiles to everybody. The change is an entry.',
      access: ['admin'],
      body: {
        contentTypes: ['application/json'],
        bytesMax: 16 * 1024,
        schema: {
          type: 'object',
          required: ['isPublic'],
          additionalProperties: false,
          properties: { isPublic: { type: 'boolean' } },
        },
      },
      answers: { 200: log, ...problems(400, 404) },
      handle: async ({ log, body, caller }) => {
        const { isPublic } = (await body.json()) as { readonly isPublic: boolean };
        return json(await mustBe(desk.logs.setPublic(log.name, isPublic, caller)));
      },
    },
  ];
}

async function list({ logs }: Desk, { caller, query }: Call): Promise<Response> {
  const { limit = LOGS_DEFAULT, after } = query as { readonly limit?: number; readonly after?: string };
  const names = caller?.log === undefined ? await logs.names() : [caller.log];
  const rest = after === undefined ? names : names.filter((one) => one > after);
  const summaries: LogSummary[] = [];
  const unreadable: string[] = [];
  for (const one of rest.slice(0, limit)) {
    try {
      const summary = await logs.summary(one);
      if (summary !== undefined) summaries.push(summary);
    } catch {
      // One damaged log hides no other.
      unreadable.push(one);
    }
    // Each is a small file to read; others are served in between.
    await setImmediate();
  }
  return json({
    logs: summaries,
    ...(unreadable.length === 0 ? {} : { unreadable }),
    ...(rest.length > limit ? { next: rest[limit - 1]! } : {}),
  } satisfies LogList);
}

/** The summary of a log that is open. */
async function summaryOf({ name, log, isPublic }: Call['log']): Promise<LogSummary> {
  const { size, root, note } = await log.checkpoint();
  const { vkey } = await log.keys();
  return { name, origin: log.origin, vkey, size, root, checkpoint: note, isPublic };
}

async function keysOf({ log }: Call['log']): Promise<LogKeyList> {
  const { vkey, rootVkey, entries } = await log.keys();
  return {
    vkey,
    rootVkey,
    entries: entries.map(({ index, entry }) => ({ index, entry: base64Encode(entry) })),
  };
}

async function mustBe(summary: Promise<LogSummary | undefined>): Promise<LogSummary> {
  const found = await summary;
  if (found === undefined) throw nothingHere();
  return found;
}
