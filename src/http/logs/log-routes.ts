import type { LogList, LogRequest, LogSummary } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { problems } from './answers.ts';
import { type Desk, json, nothingHere } from './deps.ts';

const name = { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' };

const wire = (description: string) => ({ description, contentType: 'application/json' });

/** `POST` and `GET /v1/logs`, `GET` and `PATCH /v1/logs/{log}`. */
export function logsRoutes(desk: Desk): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs',
      operationId: 'listLogs',
      summary: 'The logs that the credential may see.',
      access: ['write', 'read', 'audit', 'admin'],
      answers: { 200: wire('The logs, by name.') },
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
      answers: { 201: wire('The log.'), ...problems(400, 404, 409) },
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
      answers: { 200: wire('The log.'), ...problems(404) },
      handle: async ({ log }) => json(await mustBe(desk.logs.summary(log.name))),
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
      answers: { 200: wire('The log.'), ...problems(400, 404) },
      handle: async ({ log, body, caller }) => {
        const { isPublic } = (await body.json()) as { readonly isPublic: boolean };
        return json(await mustBe(desk.logs.setPublic(log.name, isPublic, caller)));
      },
    },
  ];
}

async function list({ logs }: Desk, { caller }: Call): Promise<Response> {
  const bound = caller?.log;
  const names = bound === undefined ? await logs.names() : [bound];
  const summaries: LogSummary[] = [];
  // One after the other: each may have to be opened first.
  for (const one of names) {
    const summary = await logs.summary(one);
    if (summary !== undefined) summaries.push(summary);
  }
  return json({ logs: summaries } satisfies LogList);
}

async function mustBe(summary: Promise<LogSummary | undefined>): Promise<LogSummary> {
  const found = await summary;
  if (found === undefined) throw nothingHere();
  return found;
}
