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
  const audited = logs.audits.of(log.name);
  const gaps = log.sources?.gaps() ?? [];
  return {
    size,
    checkpoint: note,
    ...audited,
    isRunning: logs.audits.isRunning(log.name),
    gaps,
    tier: await log.log.tier({ audit: audited.lastWhole, isPublic: log.isPublic, gaps: gaps.length }),
  };
}
