import type { Verification } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { problems } from './answers.ts';
import { type Desk, json } from './deps.ts';

/** `GET` and `POST /v1/logs/{log}/verification`. */
export function verificationRoutes(desk: Desk): Route[] {
  const common = {
    path: '/v1/logs/{log}/verification',
    access: ['read', 'audit', 'admin'],
    answers: {
      200: { description: "This server's own opinion of its log.", schema: shape('Verification') },
      ...problems(404, 503),
    },
  } as const;
  return [
    {
      ...common,
      method: 'GET',
      operationId: 'getVerification',
      summary:
        'What the last audits by this server found, what sources are missing, who could still do what.',
      handle: async (call) => json(await verification(desk, call)),
    },
    {
      ...common,
      method: 'POST',
      access: ['audit', 'admin'],
      operationId: 'startAudit',
      summary: 'Audits the whole log now, and answers when that is done.',
      handle: async (call) => {
        await desk.logs.audits.run(call.log, 'whole');
        return json(await verification(desk, call));
      },
    },
  ];
}

async function verification({ logs }: Desk, { log }: Call): Promise<Verification> {
  const { size, note } = await log.log.checkpoint();
  return {
    size,
    checkpoint: note,
    ...logs.audits.of(log.name),
    isRunning: logs.audits.isRunning(log.name),
    gaps: log.sources?.gaps() ?? [],
    exposure,
  };
}

/** Who could still do what unseen, as a log of a server is set up without witnesses. */
const exposure: Verification['exposure'] = [
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
  {
    who: 'whoever can write to the disk, without the signing key',
    can: 'change or delete entries, or put an older copy in place',
    answeredBy: 'the signed tree, audits that read everything again, the mark beside the log',
    isAnswered: true,
  },
  {
    who: 'whoever holds the signing key',
    can: 'sign another history, or show two',
    answeredBy: 'receipts and checkpoints that others keep; no witness cosigns this log yet',
    isAnswered: false,
  },
  {
    who: 'the application itself, from the moment that it is taken over',
    can: 'invent events, or stop telling them',
    answeredBy: 'nothing answers inventions; sources that fall silent are noticed',
    isAnswered: false,
  },
];
