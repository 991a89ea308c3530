// The server in a Next.js application: this file as `app/[...path]/route.ts`.
//
// Route handlers are functions from `Request` to `Response`, as the server is. It needs Node and a disk that stays, so
// neither the edge runtime nor functions that come and go. One data directory has one server: keep one, however often
// this module is loaded.

import { createHandler, type Handler } from 'indelible/http';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

const kept = globalThis as { auditServer?: Promise<Handler> };
kept.auditServer ??= open(process.env['AUDIT_DATA'] ?? 'data/server');

async function open(data: string): Promise<Handler> {
  const audit = createHandler({ data });
  await audit.desk.ensureLog('main');
  return audit;
}

async function answer(request: Request): Promise<Response> {
  const audit = await kept.auditServer!;
  return audit(request);
}

export {
  answer as DELETE,
  answer as GET,
  answer as HEAD,
  answer as OPTIONS,
  answer as PATCH,
  answer as POST,
};
